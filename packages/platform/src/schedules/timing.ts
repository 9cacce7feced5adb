import { PlatformError, type ScheduleRecord } from "@sous/contract";
import { Cron } from "croner";
import { LRUCache } from "lru-cache";

/** When a schedule runs, of its record. */
export type ScheduleTimes = Pick<ScheduleRecord, "every_seconds" | "cron" | "timezone">;

/** Answers when schedules run. */
export interface Timing {
  /** @returns the first moment after `afterMs` that is one of the schedule's, `null` when there is none */
  next(times: ScheduleTimes, afterMs: number): number | null;
  /** @returns up to `count` moments from `firstMs`, the schedule's next one, on */
  upcoming(times: ScheduleTimes, firstMs: number | null, count: number): number[];
}

interface Compiled {
  cron: Cron;
  /** The last answers: schedules of one expression ask for the same moments, and those that catch up ask again. */
  answers: Map<number, number | null>;
}

const CRONS_MAX = 1000;
const ANSWERS_MAX = 128;
/** Seconds are optional, years are not for cron; what comes once is no schedule. */
const FIELDS = /^\s*(?:@(?:hourly|daily|weekly|monthly|yearly|annually|midnight)|\S+(?:\s+\S+){4,5})\s*$/i;

/**
 * Makes the timing of a process. In a time zone, what falls into an hour that is left out runs at its end, what
 * names an hour that comes twice runs the first time, and `*` fields run through both.
 */
export function createTiming(): Timing {
  const compiled = new LRUCache<string, Compiled>({ max: CRONS_MAX });

  function nextOfCron(expression: string, timezone: string, afterMs: number): number | null {
    const key = `${timezone} ${expression}`;
    let entry = compiled.get(key);
    if (entry === undefined) {
      entry = { cron: compileCron(expression, timezone), answers: new Map() };
      compiled.set(key, entry);
    }
    const known = entry.answers.get(afterMs);
    if (known !== undefined) return known;
    const nextMs = entry.cron.nextRun(new Date(afterMs))?.getTime() ?? null;
    if (entry.answers.size >= ANSWERS_MAX) entry.answers.clear();
    entry.answers.set(afterMs, nextMs);
    return nextMs;
  }

  function next({ every_seconds, cron, timezone = "UTC" }: ScheduleTimes, afterMs: number): number | null {
    if (cron !== undefined) return nextOfCron(cron, timezone, afterMs);
    return every_seconds === undefined ? null : afterMs + every_seconds * 1000;
  }

  return {
    next,
    upcoming(times, firstMs, count) {
      const moments: number[] = [];
      for (let at = firstMs; at !== null && moments.length < count; at = next(times, at)) moments.push(at);
      return moments;
    },
  };
}

/** @throws CS_VALIDATION_FAILED for what is no cron expression, or no time zone */
function compileCron(expression: string, timezone: string): Cron {
  if (!isTimeZone(timezone)) {
    throw new PlatformError(
      "CS_VALIDATION_FAILED",
      `${timezone} is no time zone of the IANA list, as Europe/Paris or UTC`,
    );
  }
  if (!FIELDS.test(expression)) {
    const message =
      "cron has five fields, or six with seconds first, or is @hourly, @daily, @weekly, @monthly, @yearly";
    throw new PlatformError("CS_VALIDATION_FAILED", message);
  }
  try {
    return new Cron(expression, { timezone, paused: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/^CronPattern: /, "") : "unknown";
    throw new PlatformError("CS_VALIDATION_FAILED", `cron is not valid: ${reason.slice(0, 300)}`, { cause });
  }
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
