import type { StoredSchedule } from "@sous/store";
import type { SchedulerOptions } from "./create-scheduler.ts";
import type { Term } from "./leadership.ts";
import { fromNow } from "./plan-ticks.ts";

const PAGE = 500;
/** Clocks of processes differ: what the leader before took for now may be a little later than our now. */
const SKEW_MS = 10_000;

/**
 * Starts again from now what a clock that was set back has left waiting: intervals whose next tick is further away
 * than the interval. Cron expressions name moments of the clock: those that were run are not run again.
 */
export async function restartStranded(
  { schedules, timing, clock, meter }: Pick<SchedulerOptions, "schedules" | "timing" | "clock" | "meter">,
  term: Term,
  isOver: (term: Term) => boolean,
): Promise<void> {
  let cursor: string | undefined;
  do {
    const page = await schedules.due(Number.MAX_SAFE_INTEGER, { limit: PAGE, cursor });
    const nowMs = clock();
    const stranded = isOver(term) ? [] : page.items.filter((item) => isStranded(item, nowMs));
    const writes = stranded.map((item) =>
      schedules
        .advance(item, fromNow(item, item.state.tick_seq, { nowMs, timing }), term.fence)
        .catch((error: unknown) => meter.stateLost(item.record, error)),
    );
    await Promise.all(writes);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && !isOver(term));
}

function isStranded({ record, state }: StoredSchedule, nowMs: number): boolean {
  if (record.every_seconds === undefined || state.next_tick_ms === null) return false;
  return state.next_tick_ms > nowMs + record.every_seconds * 1000 + SKEW_MS;
}
