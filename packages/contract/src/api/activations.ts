import Type, { type Static } from "typebox";
import { ActivationRecord } from "../activation.ts";
import { ACTIVATION_STATUSES, TRIGGER_TYPES } from "../invocation.ts";
import { LIMITS } from "../limits.ts";
import { ResourceName } from "../names.ts";
import { pageOf, pageQueryWith } from "./paging.ts";

const closed = { additionalProperties: false } as const;

const Since = Type.Optional(
  Type.Integer({ minimum: 0, description: "Queued at or after, epoch milliseconds" }),
);
const Follow = Type.Optional(
  Type.Boolean({ description: "Stream server-sent events until the end (false)" }),
);

/** Query of `GET /v1/tenants/{t}/activations`. */
export const ListActivationsQuery = pageQueryWith({
  namespace: Type.Optional(ResourceName),
  function: Type.Optional(ResourceName),
  status: Type.Optional(Type.Enum([...ACTIVATION_STATUSES])),
  trigger: Type.Optional(Type.Enum([...TRIGGER_TYPES])),
  since: Since,
});
export type ListActivationsQuery = Static<typeof ListActivationsQuery>;

/** Query of `GET …/activations/{id}` and `GET /v1/executions/{id}`. */
export const GetActivationQuery = Type.Object(
  {
    wait: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: LIMITS.activationWaitMaxSeconds,
        description: "Answer when it has ended, but no later than after so many seconds (0)",
      }),
    ),
  },
  closed,
);
export type GetActivationQuery = Static<typeof GetActivationQuery>;

/** Answer of `GET /v1/tenants/{t}/activations`. */
export const ActivationPage = pageOf(ActivationRecord);
export type ActivationPage = Static<typeof ActivationPage>;

/** Query of `GET …/activations/{id}/logs`. The cursor is the number of the next chunk. */
export const ActivationLogsQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMITS.pageSizeMax })),
    cursor: Type.Optional(Type.String({ pattern: "^[0-9]{1,9}$" })),
    follow: Follow,
  },
  closed,
);
export type ActivationLogsQuery = Static<typeof ActivationLogsQuery>;

/** Answer of `GET …/activations/{id}/logs`; `cursor` is null when an ended activation has no more. */
export const LogsReply = Type.Object(
  { chunks: Type.Array(Type.String()), cursor: Type.Union([Type.String(), Type.Null()]) },
  closed,
);
export type LogsReply = Static<typeof LogsReply>;

/** Answer 202 of `POST …/activations/{id}:cancel`. */
export const CancelReply = Type.Object(
  { activation_id: Type.String(), status: Type.Enum([...ACTIVATION_STATUSES]) },
  closed,
);
export type CancelReply = Static<typeof CancelReply>;

/** Query of `GET …/functions/{name}/logs`. */
export const FunctionLogsQuery = pageQueryWith({ since: Since, follow: Follow });
export type FunctionLogsQuery = Static<typeof FunctionLogsQuery>;

const FunctionLogItem = Type.Object(
  {
    activation_id: Type.String(),
    status: Type.Enum([...ACTIVATION_STATUSES]),
    enqueued_at_ms: Type.Integer({ minimum: 0 }),
    chunks: Type.Array(Type.String()),
    /** Where `GET …/activations/{id}/logs` goes on, or null. */
    cursor: Type.Union([Type.String(), Type.Null()]),
  },
  closed,
);

/** Answer of `GET …/functions/{name}/logs`: the activations newest first, each with its first lines. */
export const FunctionLogsPage = pageOf(FunctionLogItem);
export type FunctionLogsPage = Static<typeof FunctionLogsPage>;
