import Type, { type Static } from "typebox";
import { TenantId, UserName } from "../names.ts";
import { TokenRecord } from "../records.ts";
import { RoleList } from "../user.ts";
import { pageOf, pageQueryWith } from "./paging.ts";

const closed = { additionalProperties: false } as const;
const TEN_YEARS_SECONDS = 315_360_000;

/** Body of `POST /v1/tokens`: for a subject, or for a user. */
export const CreateTokenBody = Type.Object(
  {
    sub: Type.Optional(
      Type.String({ minLength: 1, maxLength: 256, description: "Who the token speaks for, if no user" }),
    ),
    user: Type.Optional(UserName),
    roles: Type.Optional({
      ...RoleList,
      description: "Needed with sub; with user some of the user's roles (those the user has now)",
    }),
    tenant: Type.Optional(TenantId),
    expires_in_seconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: TEN_YEARS_SECONDS, description: "Never, when left out" }),
    ),
  },
  closed,
);
export type CreateTokenBody = Static<typeof CreateTokenBody>;

/** Answer 201 of `POST /v1/tokens`; the only time the token itself is shown. */
export const CreateTokenReply = Type.Object({ token: Type.String(), record: TokenRecord }, closed);
export type CreateTokenReply = Static<typeof CreateTokenReply>;

export const ListTokensQuery = pageQueryWith({ tenant: Type.Optional(TenantId) });
export type ListTokensQuery = Static<typeof ListTokensQuery>;

export const TokenPage = pageOf(TokenRecord);
export type TokenPage = Static<typeof TokenPage>;

/** Query of `DELETE /v1/tokens/{token_id}`. */
export const RevokeTokenQuery = Type.Object({ tenant: Type.Optional(TenantId) }, closed);
export type RevokeTokenQuery = Static<typeof RevokeTokenQuery>;

/** Path of one token. */
export const TokenParams = Type.Object(
  { token_id: Type.String({ pattern: "^[0-9a-z]{1,64}$", description: "Token id" }) },
  closed,
);
export type TokenParams = Static<typeof TokenParams>;
