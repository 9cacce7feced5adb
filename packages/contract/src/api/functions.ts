import Type, { type Static } from "typebox";
import { Runtime } from "../manifest.ts";
import { ResourceName } from "../names.ts";
import { AliasRecord, FunctionRecord } from "../records.ts";
import { pageOf, pageQueryWith } from "./paging.ts";

const closed = { additionalProperties: false } as const;

/** Body of `POST …/functions`. What is left out takes the defaults of cs-js. */
export const CreateFunctionBody = Type.Object(
  {
    name: ResourceName,
    runtime: Type.Optional(Runtime),
    entry: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: "^[a-zA-Z0-9._/-]+$" })),
    handler: Type.Optional(
      Type.String({ minLength: 1, maxLength: 128, pattern: "^[A-Za-z_$][A-Za-z0-9_$.]*$" }),
    ),
  },
  closed,
);
export type CreateFunctionBody = Static<typeof CreateFunctionBody>;

const IncludeDeleted = Type.Optional(Type.Boolean({ description: "Deleted functions too (false)" }));

/** Query of `GET …/functions/{name}`. */
export const GetFunctionQuery = Type.Object({ include_deleted: IncludeDeleted }, closed);
export type GetFunctionQuery = Static<typeof GetFunctionQuery>;

/** Query of `GET …/functions`. */
export const ListFunctionsQuery = pageQueryWith({ include_deleted: IncludeDeleted });
export type ListFunctionsQuery = Static<typeof ListFunctionsQuery>;

/** Answer of `GET …/functions/{name}`. */
export const FunctionReply = Type.Object(
  {
    function: FunctionRecord,
    aliases: Type.Array(AliasRecord),
    latest_version: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()]),
  },
  closed,
);
export type FunctionReply = Static<typeof FunctionReply>;

/** Answer of `GET …/functions`. */
export const FunctionPage = pageOf(FunctionRecord);
export type FunctionPage = Static<typeof FunctionPage>;
