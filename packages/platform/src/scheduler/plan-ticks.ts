import { type ScheduleState, tickActivationId } from "@sous/contract";
import type { StoredSchedule } from "@sous/store";
import { jitterMs } from "../schedules/jitter.ts";
import type { Tick } from "../schedules/submit-run.ts";
import type { Timing } from "../schedules/timing.ts";

/** Pause between two ticks of a schedule that runs them one by one and has several due. */
const STEP_MS = 100;
/** Longest pause between two looks at a schedule whose tick waits for the one before. */
const WAIT_MAX_MS = 1000;
/** How late the only tick of a schedule without catch-up may be: a change of leader takes less. */
const LATE_MS = 10_000;

/** What is to be done about a schedule that is due. */
export interface TickPlan {
  /** To be published now, in order. */
  ticks: Tick[];
  /** The state once they are. */
  next: ScheduleState;
  /** Ticks left out because the one before has not ended. */
  overlapped: number;
  /** Whether ticks are left out because too many were missed. */
  jumped: boolean;
}

export interface PlanOptions {
  nowMs: number;
  timing: Timing;
  /** How long ago the activation in `state.inflight` was queued, milliseconds; `null` when it has ended. */
  runningMs: number | null;
}

/**
 * Decides about one schedule that is due. Whoever asks about the same state is given the same ticks with the same
 * numbers, oldest first, only perhaps more of them later on: that makes a second leader harmless.
 *
 * Behind by more than `max_catchup_ticks`, the oldest of them are made up for; then the schedule goes on from now,
 * leaving out a number.
 */
export function planTicks(stored: StoredSchedule, options: PlanOptions): TickPlan {
  const { record } = stored;
  const due = dueTicks(stored, options);
  if (record.overlap_policy === "parallel") return planAll(stored, due, options);
  if (options.runningMs === null) return planOne(stored, due, options);
  return record.overlap_policy === "skip" ? skipAll(stored, due, options) : wait(stored, due, options);
}

/** What a schedule has due, up to its bound. */
interface Due {
  ticks: Tick[];
  /** The moment after them; `null` when there is none. */
  afterMs: number | null;
  /** Whether that one is due as well. */
  more: boolean;
}

function dueTicks({ record, state }: StoredSchedule, { nowMs, timing }: PlanOptions): Due {
  const ticks: Tick[] = [];
  const most = Math.max(1, record.max_catchup_ticks);
  let at = state.next_tick_ms;
  let seq = state.tick_seq;
  const isDue = (): boolean => at !== null && at + jitterMs(record.uid, seq, record.jitter_seconds) <= nowMs;
  while (at !== null && ticks.length < most && isDue()) {
    ticks.push({ seq, dueMs: at });
    at = timing.next(record, at);
    seq++;
  }
  const more = isDue();
  const isTooLate = record.max_catchup_ticks === 0 && nowMs - (state.next_tick_ms ?? 0) > LATE_MS;
  return isTooLate ? { ticks: [], afterMs: at, more: true } : { ticks, afterMs: at, more };
}

function planAll(stored: StoredSchedule, due: Due, options: PlanOptions): TickPlan {
  const { ticks, afterMs, more } = due;
  const seq = stored.state.tick_seq + ticks.length;
  const next = more ? fromNow(stored, seq, options) : stateAt(stored, seq, afterMs);
  return { ticks, next: { ...next, inflight: null }, overlapped: 0, jumped: more };
}

/** The oldest tick, and a look at the next as soon as this one may have ended. */
function planOne(stored: StoredSchedule, due: Due, options: PlanOptions): TickPlan {
  const { state } = stored;
  const [tick, second] = due.ticks;
  const isBehind = due.more || second !== undefined;
  const end = state.catchup_end_seq;
  if (due.more && tick === undefined) return jump(stored, options);
  if (tick === undefined) {
    // The clock was set back since it was found due.
    return { ticks: [], next: stateAt(stored, state.tick_seq, due.afterMs), overlapped: 0, jumped: false };
  }
  if (isBehind && end !== null && tick.seq >= end) return jump(stored, options);
  const next = stateAt(stored, tick.seq + 1, second?.dueMs ?? due.afterMs);
  next.inflight = tickActivationId(stored.record.uid, tick.seq);
  if (isBehind) {
    next.catchup_end_seq = catchupEnd(stored, due);
    next.due_at_ms = Math.max(next.due_at_ms ?? 0, options.nowMs + STEP_MS);
  }
  return { ticks: [tick], next, overlapped: 0, jumped: false };
}

function skipAll(stored: StoredSchedule, due: Due, options: PlanOptions): TickPlan {
  const seq = stored.state.tick_seq + due.ticks.length;
  const next = due.more ? fromNow(stored, seq, options) : stateAt(stored, seq, due.afterMs);
  return { ticks: [], next, overlapped: due.ticks.length, jumped: due.more };
}

function jump(stored: StoredSchedule, options: PlanOptions): TickPlan {
  const { tick_seq } = stored.state;
  // A leader before may have published the number that is left out; if not, nothing of that name holds up the next.
  const inflight = tickActivationId(stored.record.uid, tick_seq);
  const next = { ...fromNow(stored, tick_seq, options), inflight };
  return { ticks: [], next, overlapped: 0, jumped: true };
}

/** Later: the ticks wait in the state, so that there are never more of them than may be made up for. */
function wait(stored: StoredSchedule, due: Due, { nowMs, runningMs }: PlanOptions): TickPlan {
  const { state } = stored;
  // By the age of what runs, not of the tick: who is behind must not be looked at more rarely for it.
  const pauseMs = Math.min(WAIT_MAX_MS, Math.max(STEP_MS, (runningMs ?? 0) / 4));
  const catchup_end_seq = catchupEnd(stored, due);
  const next = { ...state, due_at_ms: Math.round(nowMs + pauseMs), catchup_end_seq };
  return { ticks: [], next, overlapped: 0, jumped: false };
}

/** @returns where the catching-up ends, once more has been missed than is made up for */
function catchupEnd({ record, state }: StoredSchedule, { more }: Due): number | null {
  if (state.catchup_end_seq !== null || !more) return state.catchup_end_seq;
  return state.tick_seq + Math.max(1, record.max_catchup_ticks);
}

/** The state with another tick next. */
function stateAt({ record, state }: StoredSchedule, seq: number, atMs: number | null): ScheduleState {
  const due_at_ms = atMs === null ? null : atMs + jitterMs(record.uid, seq, record.jitter_seconds);
  return { ...state, tick_seq: seq, next_tick_ms: atMs, due_at_ms, catchup_end_seq: null };
}

/**
 * The state of a schedule that starts again from now. It leaves a number out: a leader that does not know yet may
 * publish that one, and no tick to come may be taken for it.
 */
export function fromNow(
  stored: StoredSchedule,
  seq: number,
  { nowMs, timing }: Pick<PlanOptions, "nowMs" | "timing">,
): ScheduleState {
  return stateAt(stored, seq + 1, timing.next(stored.record, nowMs));
}
