import Type, { type Static } from "typebox";
import { ERROR_CATALOGUE, type ErrorCode } from "../errors.ts";

const closed = { additionalProperties: false } as const;

/** The body of every error answer (SPEC 6). */
export const ErrorReply = Type.Object(
  {
    error: Type.Object(
      {
        code: Type.Enum(Object.keys(ERROR_CATALOGUE) as ErrorCode[]),
        message: Type.String(),
        request_id: Type.String(),
        details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
      },
      closed,
    ),
  },
  closed,
);
export type ErrorReply = Static<typeof ErrorReply>;

/** Answer of `GET /healthz`. */
export const HealthReply = Type.Object({ status: Type.Literal("ok") }, closed);
export type HealthReply = Static<typeof HealthReply>;

/**
 * Answer of `GET /readyz`: each part by name, `ok` or the code it fails with. `details` has what a part says of itself
 * besides: `sandbox` how far its hosts are closed, `open`, `closed` or `strict`.
 */
export const ReadyReply = Type.Object(
  {
    status: Type.Enum(["ready", "unready", "draining"]),
    checks: Type.Record(Type.String(), Type.String()),
    details: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  closed,
);
export type ReadyReply = Static<typeof ReadyReply>;
