import type { ActivationAttempt, ActivationRecord } from "@sous/contract";

/** @returns the failed attempts a record tells of, with the one a crash cut off */
export function attemptsBefore(
  record: ActivationRecord,
  attempt: number,
  nowMs: number,
): ActivationAttempt[] {
  const { attempts, status, start_ms } = record;
  if (status !== "running" || record.attempt >= attempt) return attempts;
  const error = { type: "SandboxCrashed" as const, message: "the platform ended while it ran" };
  const cut = { attempt: record.attempt, start_ms: start_ms ?? nowMs, end_ms: nowMs, status: "error", error };
  return [...attempts, cut];
}
