import type { Invocation } from "@sous/contract";

/** How soon work that could not begin is tried again: at first, and when that has gone on for long. */
const SOONEST_MS = 1000;
const LATEST_MS = 10_000;

/** @returns how long work is put off that could not begin, in milliseconds: a tenth of the time it has waited */
export function putOffMs({ enqueued_at_ms, due_at_ms }: Invocation, nowMs: number): number {
  const waitedMs = nowMs - (due_at_ms ?? enqueued_at_ms);
  return Math.round(Math.min(LATEST_MS, Math.max(SOONEST_MS, waitedMs / 10)));
}
