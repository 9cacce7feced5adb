import type { ScheduleItem, ScheduleReply } from "@sous/contract";
import type { Output } from "./output.ts";
import { formatFields, formatTable } from "./table.ts";
import { formatTime } from "./units.ts";

/** @returns when a schedule runs, for people: `every 60 s`, `30 2 * * * Europe/Paris` */
export const timesText = ({ every_seconds, cron, timezone }: ScheduleItem): string =>
  every_seconds === undefined ? `${cron} ${timezone}` : `every ${every_seconds} s`;

/** @returns what a schedule runs: `hello@prod` */
export const refText = ({ ref }: ScheduleItem): string =>
  `${ref.function}@${ref.alias ?? (ref.version === undefined ? "latest" : String(ref.version))}`;

/** Prints one schedule with its next runs, and what will not work yet. */
export function printSchedule(output: Output, schedule: ScheduleReply): void {
  output.data(schedule, () => {
    const fields = formatFields([
      ["schedule", schedule.name],
      ["runs", refText(schedule)],
      ["when", timesText(schedule)],
      ["overlap", schedule.overlap_policy],
      ["jitter", `${schedule.jitter_seconds} s`],
      ["catch up", `${schedule.max_catchup_ticks} ticks`],
      ["next tick", schedule.enabled ? String(schedule.tick_seq) : "paused"],
    ]);
    return schedule.next_runs.length === 0 ? fields : `${fields}\n\n${nextRuns(schedule)}`;
  });
  for (const warning of schedule.warnings) output.warn(warning);
}

/** In the schedule's own zone beside UTC, so that a change of the clocks is seen. */
function nextRuns({ next_runs, timezone = "UTC" }: ScheduleReply): string {
  if (timezone === "UTC") {
    return formatTable(
      ["NEXT RUNS (UTC)"],
      next_runs.map((ms) => [formatTime(ms)]),
      "",
    );
  }
  const local = new Intl.DateTimeFormat("sv-SE", {
    timeZone: timezone,
    dateStyle: "short",
    timeStyle: "medium",
  });
  return formatTable(
    ["NEXT RUNS (UTC)", timezone],
    next_runs.map((ms) => [formatTime(ms), local.format(ms)]),
    "",
  );
}
