import type { FunctionError } from "@sous/contract";
import type { SandboxOutcome } from "@sous/sandbox";

/** Of a synchronous call whose invoker lost its lease: somebody had begun it, and is gone. */
export const LEASE_LOST: FunctionError = {
  type: "SandboxCrashed",
  message: "the process that ran it ended, or could not be reached any more",
};

/** @returns the outcome of an activation whose code never began */
export function unrun(error: FunctionError): SandboxOutcome {
  const status =
    error.type === "Timeout" ? "timeout" : error.type === "Cancelled" ? "cancelled" : ("error" as const);
  return {
    status,
    error,
    cold: false,
    coldReason: "none",
    timings: { placementMs: 0, bootMs: 0, initMs: 0, handlerMs: 0, hostCallsMs: 0 },
    cpuMs: 0,
    memoryPeakBytes: 0,
    externalMemoryBytes: 0,
    timersPeak: 0,
    started: false,
  };
}
