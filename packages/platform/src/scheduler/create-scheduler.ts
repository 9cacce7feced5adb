import type { ScheduleStore, Store } from "@sous/store";
import type { RunSubmitter } from "../schedules/submit-run.ts";
import type { Timing } from "../schedules/timing.ts";
import { createClockWatch } from "./clock-watch.ts";
import type { Leadership, Term } from "./leadership.ts";
import { restartStranded } from "./restart-stranded.ts";
import type { Scheduler, SchedulerMeter } from "./scheduler.ts";
import type { SetTimer } from "./set-timer.ts";
import { stepSchedule } from "./step-schedule.ts";

export interface SchedulerOptions {
  schedules: ScheduleStore;
  activations: Pick<Store["activations"], "get">;
  submitter: Pick<RunSubmitter, "tick">;
  leadership: Leadership;
  timing: Timing;
  meter: SchedulerMeter;
  /** Epoch milliseconds. */
  clock: () => number;
  /** Milliseconds of a clock that nobody sets. */
  monotonic: () => number;
  setTimer: SetTimer;
  /** Hears of looks that failed as a whole. */
  onFault: (error: unknown) => void;
}

/** Schedules that are worked on at once. */
const PAGE = 500;
/** The longest sleep: what other processes changed, and a clock that was set, is noticed within it. */
const LOOK_MS = 1000;

/**
 * Makes the scheduler. It sleeps until the next schedule is due, at most a second, then publishes what is due.
 *
 * Per schedule: publish with an id made of schedule and number → persist the state by compare-and-set. A crash
 * between the two repeats the publish, which the queue, or the activation's terminal record, makes harmless.
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const { schedules, leadership, clock, monotonic, setTimer, onFault } = options;
  const clockWatch = createClockWatch(clock, monotonic);
  let stopTimer: () => void = () => {};
  let looking: Promise<void> | undefined;
  let again = false;
  let closed = false;
  /** The term whose first look has restarted what a clock left behind. */
  let knownTerm: Term | undefined;

  const isOver = (term: Term): boolean => closed || leadership.term() !== term;

  /** Publishes what is due. @returns whether all of it was written */
  async function pass(term: Term): Promise<boolean> {
    const untilMs = clock();
    let cursor: string | undefined;
    let whole = true;
    do {
      const page = await schedules.due(untilMs, { limit: PAGE, cursor });
      const steps = page.items.map((item) => stepSchedule(options, item, term, isOver));
      whole = (await Promise.all(steps)).every(Boolean) && whole;
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined && !isOver(term));
    return whole;
  }

  /** @returns how long to sleep, in milliseconds */
  async function look(): Promise<number> {
    const wasSetBack = clockWatch.wasSetBack();
    const term = leadership.term();
    if (term === undefined) return LOOK_MS;
    if (wasSetBack || term !== knownTerm) {
      await restartStranded(options, term, isOver);
      knownTerm = term;
    }
    if (!(await pass(term))) return LOOK_MS;
    const [first] = (await schedules.due(Number.MAX_SAFE_INTEGER, { limit: 1 })).items;
    return Math.min(LOOK_MS, Math.max(0, (first?.state.due_at_ms ?? Infinity) - clock()));
  }

  function begin(): void {
    if (closed) return;
    if (looking !== undefined) {
      again = true;
      return;
    }
    stopTimer();
    looking = look()
      .catch((error: unknown) => {
        onFault(error);
        return LOOK_MS;
      })
      .then((sleepMs) => {
        looking = undefined;
        if (!closed) stopTimer = setTimer(begin, again ? 0 : sleepMs);
        again = false;
      });
  }

  leadership.onTerm(begin);
  begin();
  return {
    wake: begin,
    async [Symbol.asyncDispose]() {
      closed = true;
      stopTimer();
      await looking;
    },
  };
}
