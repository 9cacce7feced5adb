import type { ScheduleRecord } from "@sous/contract";
import type { ScheduleStart } from "@sous/store";
import { jitterMs } from "./jitter.ts";
import type { Timing } from "./timing.ts";

/**
 * From when a new or changed schedule goes on: its first moment after now, with the jitter of its tick.
 * @param tickSeq the number its next tick will have
 */
export function scheduleStart(
  record: ScheduleRecord,
  tickSeq: number,
  nowMs: number,
  timing: Timing,
): ScheduleStart {
  const next = record.enabled ? timing.next(record, nowMs) : null;
  if (next === null) return { next_tick_ms: null, due_at_ms: null };
  return { next_tick_ms: next, due_at_ms: next + jitterMs(record.uid, tickSeq, record.jitter_seconds) };
}
