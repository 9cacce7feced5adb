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
  /** Asked in the time zone, or for the time a clock on the wall shows. */
  cron: Cron;
  /** Whether it names hours: then a clock that is put back does not make it run again. */
  namesHours: boolean;
  /** The last answers: schedules of one expression ask for the same moments, and those that catch up ask again. */
  answers: Map<number, number | null>;
}

const CRONS_MAX = 1000;
const ANSWERS_MAX = 128;
/** Seconds are optional, years are not for cron; what comes once is no schedule. */
const FIELDS = /^\s*(?:@(?:hourly|daily|weekly|monthly|yearly|annually|midnight)|\S+(?:\s+\S+){4,5})\s*$/i;

/**
 * Makes the timing of a process. In a time zone, what falls into an hour that is left out runs at its end, once; what
 * names an hour that comes twice runs the first time; what has `*` for the hour runs through both.
 */
export function createTiming(): Timing {
  const compiled = new LRUCache<string, Compiled>({ max: CRONS_MAX });

  function nextOfCron(expression: string, timezone: string, afterMs: number): number | null {
    const key = `${timezone} ${expression}`;
    let entry = compiled.get(key);
    if (entry === undefined) {
      entry = { ...compileCron(expression, timezone), answers: new Map() };
      compiled.set(key, entry);
    }
    const known = entry.answers.get(afterMs);
    if (known !== undefined) return known;
    const nextMs = nextMoment(entry, timezone, afterMs);
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

function nextMoment({ cron, namesHours }: Compiled, timezone: string, afterMs: number): number | null {
  if (!namesHours) return cron.nextRun(new Date(afterMs))?.getTime() ?? null;
  let wall: Date | null = new Date(wallTime(afterMs, timezone));
  // In the hour that comes the second time the clock shows what was run the first time.
  while ((wall = cron.nextRun(wall)) !== null) {
    const atMs = momentOf(wall.getTime(), timezone);
    if (atMs > afterMs) return atMs;
  }
  return null;
}

/** @returns what a clock on the wall shows at a moment, as if it stood in UTC */
function wallTime(atMs: number, timezone: string): number {
  const { offsetNanoseconds } = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timezone);
  return atMs + offsetNanoseconds / 1e6;
}

/** @returns when a clock shows this: the first time where it does twice, the end of the gap where it never does */
function momentOf(wallMs: number, timezone: string): number {
  const shown = Temporal.Instant.fromEpochMilliseconds(wallMs).toZonedDateTimeISO("UTC").toPlainDateTime();
  const moment = shown.toZonedDateTime(timezone, { disambiguation: "earlier" });
  const isShown = moment.toPlainDateTime().equals(shown);
  return (isShown ? moment : (moment.getTimeZoneTransition("next") ?? moment)).epochMilliseconds;
}

/** @throws CS_VALIDATION_FAILED for what is no cron expression, or no time zone */
function compileCron(expression: string, timezone: string): Pick<Compiled, "cron" | "namesHours"> {
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
    const namesHours = timezone !== "UTC" && hasNamedHours(expression);
    const cron = new Cron(expression, { timezone: namesHours ? "UTC" : timezone, paused: true });
    return { cron, namesHours };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/^CronPattern: /, "") : "unknown";
    throw new PlatformError("CS_VALIDATION_FAILED", `cron is not valid: ${reason.slice(0, 300)}`, { cause });
  }
}

function hasNamedHours(expression: string): boolean {
  const fields = expression.trim().split(/\s+/);
  if (fields.length === 1) return !/^@hourly$/i.test(fields[0] ?? "");
  return !(fields.at(-4) ?? "*").startsWith("*");
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
