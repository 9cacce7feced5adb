import Type, { type Static } from "typebox";
import {
  ACTIVATION_STATUSES,
  FunctionError,
  FunctionResult,
  INVOCATION_MODES,
  TERMINAL_STATUSES,
} from "../invocation.ts";
import { LIMITS } from "../limits.ts";
import { AliasName, VersionNumber } from "../names.ts";

const closed = { additionalProperties: false } as const;

/** With `mode: async`, how long it is not started. */
export const DelayMs = Type.Optional(
  Type.Integer({
    minimum: 0,
    maximum: LIMITS.asyncDelayMaxMs,
    description: "With mode async: not started before this many milliseconds have passed (0)",
  }),
);

/** Body of `POST …/functions/{name}:invoke`. Neither alias nor version means the newest version. */
export const InvokeBody = Type.Object(
  {
    ref: Type.Optional(
      Type.Object({ alias: Type.Optional(AliasName), version: Type.Optional(VersionNumber) }, closed),
    ),
    mode: Type.Optional(Type.Enum([...INVOCATION_MODES])),
    delay_ms: DelayMs,
    event: Type.Optional(Type.Unknown()),
  },
  closed,
);
export type InvokeBody = Static<typeof InvokeBody>;

/** Answer 200 of a synchronous `:invoke`. */
export const InvokeReply = Type.Object(
  {
    activation_id: Type.String(),
    status: Type.Enum([...TERMINAL_STATUSES]),
    result: Type.Optional(FunctionResult),
    error: Type.Optional(FunctionError),
    duration_ms: Type.Number({ minimum: 0 }),
  },
  closed,
);
export type InvokeReply = Static<typeof InvokeReply>;

/** Answer 202 of an asynchronous `:invoke`. */
export const InvokeAcceptedReply = Type.Object(
  { activation_id: Type.String(), status: Type.Literal("queued") },
  closed,
);
export type InvokeAcceptedReply = Static<typeof InvokeAcceptedReply>;

/** Answer 202 of the short form `:enqueue` (camelCase, as nanofaas has it). */
export const EnqueueReply = Type.Object(
  { executionId: Type.String(), status: Type.Literal("queued") },
  closed,
);
export type EnqueueReply = Static<typeof EnqueueReply>;

const MomentOrNull = Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]);

/** Answer of `GET /v1/executions/{id}` (camelCase, as nanofaas has it). */
export const ExecutionReply = Type.Object(
  {
    executionId: Type.String(),
    status: Type.Enum([...ACTIVATION_STATUSES]),
    startedAt: MomentOrNull,
    finishedAt: MomentOrNull,
    output: Type.Unknown(),
    error: Type.Union([Type.Object({ code: Type.String(), message: Type.String() }, closed), Type.Null()]),
  },
  closed,
);
export type ExecutionReply = Static<typeof ExecutionReply>;

/** A function as the short forms show it (nanofaas's FunctionSpec, as far as it has a meaning here). */
export const FunctionSpec = Type.Object(
  {
    name: Type.String(),
    image: Type.String({ description: "`runtime` of the function; nanofaas names its container image here" }),
    env: Type.Record(Type.String(), Type.String()),
    timeoutMs: Type.Integer(),
    concurrency: Type.Integer(),
    maxRetries: Type.Integer(),
    executionMode: Type.String(),
  },
  closed,
);
export type FunctionSpec = Static<typeof FunctionSpec>;
