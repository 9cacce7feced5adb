import { isTerminal, type ScheduleRecord, type ScheduleState } from "@sous/contract";
import type { StoredSchedule } from "@sous/store";
import { jitterMs } from "../schedules/jitter.ts";
import type { SubmittedRun, Tick } from "../schedules/submit-run.ts";
import type { SchedulerOptions } from "./create-scheduler.ts";
import type { Term } from "./leadership.ts";
import { planTicks, type TickPlan } from "./plan-ticks.ts";

/** Pause before a tick that could not be published is tried again. */
const RETRY_MS = 1000;

/**
 * Does what one due schedule needs: plan → publish → persist. Never throws.
 * @param isOver whether the term has ended: then nothing more is published
 * @returns whether the state is written, or another's to write; where not, the schedule is still due
 */
export async function stepSchedule(
  options: SchedulerOptions,
  stored: StoredSchedule,
  term: Term,
  isOver: (term: Term) => boolean,
): Promise<boolean> {
  const { submitter, timing, clock, meter } = options;
  const { record, state } = stored;
  const persist = (next: ScheduleState): Promise<boolean | undefined> => advance(options, stored, next, term);
  let plan: TickPlan;
  try {
    const runningMs = await inflightMs(options, stored);
    plan = planTicks(stored, { nowMs: clock(), timing, runningMs });
  } catch (error) {
    // It may be a fault of this one schedule: it must not hold up the others.
    meter.publishFailed(record, error);
    return (await persist({ ...state, due_at_ms: clock() + RETRY_MS })) !== undefined;
  }
  if (isOver(term)) return true;
  const { runs, failure } = await publish(submitter, record, plan.ticks);
  tellRuns(options, record, plan.ticks, runs);
  const failed = plan.ticks[runs.length];
  if (failed !== undefined) {
    meter.publishFailed(record, failure);
    const at = { tick_seq: failed.seq, next_tick_ms: failed.dueMs };
    return (await persist({ ...state, ...at, due_at_ms: clock() + RETRY_MS })) !== undefined;
  }
  const isWritten = await persist(plan.next);
  if (isWritten === true) tellLeftOut(options, record, plan);
  return isWritten !== undefined;
}

/** @returns whether it applied, `undefined` where the store failed */
async function advance(
  { schedules, meter }: SchedulerOptions,
  stored: StoredSchedule,
  next: ScheduleState,
  term: Term,
): Promise<boolean | undefined> {
  try {
    return await schedules.advance(stored, next, term.fence);
  } catch (error) {
    meter.stateLost(stored.record, error);
    return undefined;
  }
}

/**
 * The record decides: a marker whose activation is not there any more holds up nothing.
 * @returns how long ago it was queued, `null` when it has ended
 */
async function inflightMs(
  { activations, clock }: SchedulerOptions,
  { record, state }: StoredSchedule,
): Promise<number | null> {
  if (state.inflight === null || record.overlap_policy === "parallel") return null;
  const activation = await activations.get(record.tenant, state.inflight);
  if (activation === undefined || isTerminal(activation.status)) return null;
  return Math.max(0, clock() - activation.enqueued_at_ms);
}

/** Publishes ticks in their order. @returns those before the first that failed, and why it did */
async function publish(
  submitter: SchedulerOptions["submitter"],
  record: ScheduleRecord,
  ticks: readonly Tick[],
): Promise<{ runs: SubmittedRun[]; failure: unknown }> {
  const settled = await Promise.allSettled(ticks.map((tick) => submitter.tick(record, tick)));
  const runs: SubmittedRun[] = [];
  for (const result of settled) {
    if (result.status === "rejected") return { runs, failure: result.reason };
    runs.push(result.value);
  }
  return { runs, failure: undefined };
}

function tellRuns(
  { meter, clock }: SchedulerOptions,
  record: ScheduleRecord,
  ticks: readonly Tick[],
  runs: readonly SubmittedRun[],
): void {
  const nowMs = clock();
  for (const [index, { outcome }] of runs.entries()) {
    const { seq, dueMs } = ticks[index] as Tick;
    if (outcome === "refused") meter.refused(record);
    else meter.published(record, nowMs - dueMs - jitterMs(record.uid, seq, record.jitter_seconds));
  }
}

function tellLeftOut({ meter }: SchedulerOptions, record: ScheduleRecord, plan: TickPlan): void {
  if (plan.overlapped > 0) meter.leftOut(record, "overlap", plan.overlapped);
  if (plan.jumped) meter.leftOut(record, "behind", 1);
}
