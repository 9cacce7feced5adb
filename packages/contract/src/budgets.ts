import Type, { type Static } from "typebox";
import { LIMITS } from "./limits.ts";

const closed = { additionalProperties: false } as const;
const GiB = 1024 * 1024 * 1024;

const cpuMs = Type.Integer({ minimum: 1, maximum: LIMITS.workerTimeoutMaxMs });
const externalMemoryMb = Type.Integer({ minimum: 1, maximum: 4096 });
const logBytes = Type.Integer({ minimum: 0, maximum: LIMITS.logBytesMax });
const resultBytes = Type.Integer({ minimum: 0, maximum: LIMITS.resultAnswerBytesMax });
const hostCalls = Type.Integer({ minimum: 0, maximum: 100_000 });
const egressBytes = Type.Integer({ minimum: 0, maximum: 100 * GiB });
const timers = Type.Integer({ minimum: 0, maximum: LIMITS.timersMax });
const openFetches = Type.Integer({ minimum: 1, maximum: LIMITS.hostCallsOpenMax });

/**
 * What one activation may use beside its wall time and its heap, which are `timeout_ms` and `memory_mb`. Each
 * budget is counted on its own.
 */
export const Budgets = Type.Object(
  {
    /** Time its slices hold the processor of its host, in milliseconds. */
    cpu_ms: cpuMs,
    /** Part of `memory_mb` that may lie outside the heap, in array buffers, in MiB. */
    external_memory_mb: externalMemoryMb,
    /** Text of its log; what is beyond is dropped, and the log marked as cut. */
    log_bytes: logBytes,
    /** Body of its result in UTF-8. */
    result_bytes: resultBytes,
    /** Calls of `cs.*` and `fetch` in all. */
    host_calls: hostCalls,
    /** Bytes of HTTP calls in both directions, headers included. */
    egress_bytes: egressBytes,
    /** Timers alive at once. */
    timers,
    /** HTTP calls open at once; the next wait for their turn. */
    open_fetches: openFetches,
  },
  closed,
);
export type Budgets = Static<typeof Budgets>;

/** `budgets` of a manifest: camelCase, every field optional. */
export const ManifestBudgets = Type.Partial(
  Type.Object(
    { cpuMs, externalMemoryMb, logBytes, resultBytes, hostCalls, egressBytes, timers, openFetches },
    closed,
  ),
  closed,
);
export type ManifestBudgets = Static<typeof ManifestBudgets>;
