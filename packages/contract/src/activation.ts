import Type, { type Static } from "typebox";
import {
  ACTIVATION_STATUSES,
  FunctionError,
  FunctionRef,
  FunctionResult,
  INVOCATION_MODES,
  Principal,
  Trigger,
} from "./invocation.ts";

const closed = { additionalProperties: false } as const;
const Milliseconds = Type.Number({ minimum: 0 });

/** Where the time of one activation went, each phase in milliseconds with fractions. */
export const ActivationTimings = Type.Object(
  {
    queue_ms: Milliseconds,
    placement_ms: Milliseconds,
    boot_ms: Milliseconds,
    fetch_ms: Milliseconds,
    init_ms: Milliseconds,
    handler_ms: Milliseconds,
    host_calls_ms: Milliseconds,
  },
  closed,
);
export type ActivationTimings = Static<typeof ActivationTimings>;

/** Most timers and HTTP calls that were open at once, and bytes outside the heap at the last sample. */
export const ActivationUsage = Type.Object(
  {
    timers: Type.Integer({ minimum: 0 }),
    open_fetches: Type.Integer({ minimum: 0 }),
    external_memory_bytes: Type.Integer({ minimum: 0 }),
  },
  closed,
);
export type ActivationUsage = Static<typeof ActivationUsage>;

export const ColdReason = Type.Enum([
  "none",
  "first_use",
  "no_idle_isolate",
  "isolation_fresh",
  "new_host",
  "evicted",
]);
export type ColdReason = Static<typeof ColdReason>;

export const ActivationAttempt = Type.Object(
  {
    attempt: Type.Integer({ minimum: 1 }),
    start_ms: Type.Integer({ minimum: 0 }),
    end_ms: Type.Integer({ minimum: 0 }),
    status: Type.String(),
    error: Type.Optional(FunctionError),
  },
  closed,
);
export type ActivationAttempt = Static<typeof ActivationAttempt>;

/**
 * The one record of an activation, complete enough to explain it (DESIGN 2.9).
 * Numbers ending in `_ms` are epoch milliseconds for moments and milliseconds for spans.
 */
export const ActivationRecord = Type.Object(
  {
    activation_id: Type.String(),
    request_id: Type.String(),
    tenant: Type.String(),
    namespace: Type.String(),
    function: Type.String(),
    ref: FunctionRef,
    resolved_version: Type.Integer({ minimum: 0 }),
    trigger: Trigger,
    principal: Principal,
    mode: Type.Enum([...INVOCATION_MODES]),
    status: Type.Enum([...ACTIVATION_STATUSES]),
    attempt: Type.Integer({ minimum: 1 }),
    attempts: Type.Array(ActivationAttempt),
    enqueued_at_ms: Type.Integer({ minimum: 0 }),
    /** Not to be started before: what a delay asked for. */
    due_at_ms: Type.Optional(Type.Integer({ minimum: 0 })),
    start_ms: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
    end_ms: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]),
    duration_ms: Type.Union([Milliseconds, Type.Null()]),
    deadline_ms: Type.Integer({ minimum: 0 }),
    result: Type.Optional(FunctionResult),
    result_truncated: Type.Boolean(),
    error: Type.Optional(FunctionError),
    cold: Type.Boolean(),
    cold_reason: ColdReason,
    tier: Type.String(),
    sandbox_id: Type.String(),
    /** The member of the cluster that ran it; absent where nobody but this process could. */
    invoker: Type.Optional(Type.String()),
    timings: ActivationTimings,
    cpu_ms: Milliseconds,
    memory_peak_bytes: Type.Integer({ minimum: 0 }),
    log_bytes: Type.Integer({ minimum: 0 }),
    logs_truncated: Type.Boolean(),
    host_calls: Type.Integer({ minimum: 0 }),
    egress_bytes: Type.Integer({ minimum: 0 }),
    /** More of what it used of its budgets; absent where there is nothing to tell. */
    usage: Type.Optional(ActivationUsage),
    traceparent: Type.Optional(Type.String()),
    /** How many functions called one another up to this one; absent for the first. */
    depth: Type.Optional(Type.Integer({ minimum: 1 })),
    /** Hash of event and key scope; tells a repeated request with another body apart. */
    fingerprint: Type.Optional(Type.String()),
  },
  closed,
);
export type ActivationRecord = Static<typeof ActivationRecord>;
