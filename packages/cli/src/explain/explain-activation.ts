import type { ActivationRecord, ColdReason, VersionRecord } from "@sous/contract";
import { budgetsOf } from "@sous/contract/budgets";
import { LIMITS } from "@sous/contract/limits";
import type { Output } from "../output/output.ts";
import { printable } from "../output/printable.ts";
import { formatFields } from "../output/table.ts";
import { formatBytes, formatMs, formatTime } from "../output/units.ts";
import { type Bar, drawBars } from "./bar-chart.ts";

export interface ExplainOptions {
  /** The version that ran, for its limits; without it only the platform's are shown. */
  version: VersionRecord | undefined;
  /** Characters of a line. */
  columns: number;
  style: Output["style"];
}

const COLD_REASONS: Readonly<Record<ColdReason, string>> = {
  none: "an isolate of this version was ready",
  first_use: "the first use of this version here",
  no_idle_isolate: "every isolate of this version was busy",
  isolation_fresh: "the version asks for a fresh isolate each time",
  new_host: "the tenant had no sandbox host ready",
  evicted: "its isolate had been given up for lack of use or room",
};

/** The phases of an activation in the order they happen. */
const PHASES = [
  ["queue", "queue_ms"],
  ["placement", "placement_ms"],
  ["boot", "boot_ms"],
  ["fetch", "fetch_ms"],
  ["init", "init_ms"],
  ["handler", "handler_ms"],
] as const;

/** @returns a text that says how an activation went: its way, its time as bars, and what it used of its limits */
export function explainActivation(record: ActivationRecord, options: ExplainOptions): string {
  const { style } = options;
  const ref = record.ref.alias ?? (record.ref.version === undefined ? "latest" : String(record.ref.version));
  const took = record.duration_ms === null ? "not ended yet" : `in ${formatMs(record.duration_ms)}`;
  const color = record.status === "success" ? "green" : record.status === "running" ? "yellow" : "red";
  const parts = [
    `${style("bold", printable(`${record.function}@${ref} v${record.resolved_version}`))}  ${style(color, record.status)} ${took}`,
    style("dim", record.activation_id),
    "",
    formatFields([
      ["start", `${record.cold ? "cold" : "warm"}: ${COLD_REASONS[record.cold_reason]}`],
      ["tier", record.tier],
      ...(record.invoker === undefined ? [] : [["invoker", record.invoker] as [string, string]]),
      ["trigger", `${record.trigger.type}, ${record.mode}, by ${record.principal.sub}`],
      ...scheduleOf(record),
      ...activityOf(record),
      ...eventSourceOf(record),
      ...originOf(record),
      ["attempt", `${record.attempt} of ${attemptsMax(record, options.version)}`],
      ["queued at", `${formatTime(record.enqueued_at_ms)} UTC`],
    ]),
    "",
    ...drawBars(barsOf(record), Math.max(10, Math.min(60, options.columns - 40)), formatMs),
    "",
    formatFields(usage(record, options.version)),
  ];
  if (record.error !== undefined) {
    parts.push("", style("red", printable(`${record.error.type}: ${record.error.message}`)));
  }
  if (record.attempts.length > 1) {
    parts.push("", "attempts");
    for (const { attempt, status, start_ms, end_ms, error } of record.attempts) {
      const why = error === undefined ? "" : `  ${printable(`${error.type}: ${error.message}`)}`;
      parts.push(`  ${attempt}  ${status}  ${formatMs(end_ms - start_ms)}${why}`);
    }
  }
  return parts.join("\n");
}

/** Which event source it was, which of its messages, and for the how-many-eth time. */
function eventSourceOf({ trigger }: ActivationRecord): [string, string][] {
  const { event_source, event_source_type, partition, message_id, messages, attempt } = trigger.source;
  const { message_ids, last_message_id } = trigger.source;
  if (trigger.type !== "event" || event_source === undefined) return [];
  const others = typeof messages === "number" && messages > 1 ? ` and ${messages - 1} more` : "";
  const place = partition === "all" ? "" : `, ${String(partition)}`;
  const text = `${String(event_source)} (${String(event_source_type)}${place}), message ${String(message_id)}${others}`;
  const source: [string, string] = ["event source", `${text}, attempt ${String(attempt)}`];
  if (!Array.isArray(message_ids) || typeof messages !== "number") return [source];
  const ids = message_ids.map(String);
  const between = messages - ids.length - 1;
  if (between >= 0) ids.push(...(between > 0 ? [`${between} more`] : []), String(last_message_id));
  return [source, ["messages", printable(ids.join(", "))]];
}

/** Who published what it took, whose end it was told of, or which dead letter it was. */
function originOf({ trigger }: ActivationRecord): [string, string][] {
  const { activation_id, destination, redriven_from, edited, published_by } = trigger.source;
  const origins: [string, string][] = [];
  if (Array.isArray(published_by)) origins.push(["published by", printable(published_by.join(", "))]);
  if (typeof activation_id === "string" && typeof destination === "string")
    origins.push(["told of", `the end of ${printable(activation_id)}, ${printable(destination)}`]);
  if (typeof redriven_from === "string") {
    const how = edited === true ? ", with another event" : "";
    origins.push(["redriven", `from the dead letter ${printable(redriven_from)}${how}`]);
  }
  return origins;
}

/** Which schedule it was, and which of its ticks. */
function scheduleOf({ trigger, enqueued_at_ms }: ActivationRecord): [string, string][] {
  if (trigger.type !== "schedule") return [];
  const { schedule, tick_seq, due_ms, run_now_by } = trigger.source;
  if (typeof due_ms !== "number")
    return [["schedule", `${String(schedule)}, run now by ${String(run_now_by)}`]];
  const lag = formatMs(Math.max(0, enqueued_at_ms - due_ms));
  const tick = `tick ${String(tick_seq)}, due ${formatTime(due_ms)} UTC, queued ${lag} later`;
  return [["schedule", `${String(schedule)}, ${tick}`]];
}

/** Which activity of which workflow it did. */
function activityOf({ trigger }: ActivationRecord): [string, string][] {
  if (trigger.type !== "cadence") return [];
  const { worker, domain, tasklist, workflowId, runId, activityId, activityType, attempt } = trigger.source;
  return [
    ["activity", `${String(activityType)} ${String(activityId)}, attempt ${Number(attempt) + 1} of Cadence`],
    ["workflow", `${String(workflowId)}, run ${String(runId)}`],
    ["task list", `${String(tasklist)} in domain ${String(domain)}, by worker ${String(worker)}`],
  ].map(([name = "", text = ""]) => [name, printable(text)]);
}

function barsOf(record: ActivationRecord): Bar[] {
  const bars: Bar[] = [];
  let startMs = 0;
  for (const [label, key] of PHASES) {
    const ms = record.timings[key];
    bars.push({ label, ms, startMs });
    if (key !== "handler_ms") startMs += ms;
  }
  // What lies between the phases: hand-overs, and waiting for a core on a busy machine.
  const known = bars.slice(1).reduce((sum, bar) => sum + bar.ms, 0);
  const restMs = (record.duration_ms ?? 0) - known;
  const handlerEndMs = startMs + record.timings.handler_ms;
  // Host calls happen while the handler runs: their sum is drawn as a part of it.
  const { host_calls_ms } = record.timings;
  const calls = record.host_calls === 1 ? "1 call" : `${record.host_calls} calls`;
  bars.push({ label: "  host calls", ms: host_calls_ms, startMs, note: calls });
  if (restMs >= 0.1) bars.push({ label: "between", ms: restMs, startMs: handlerEndMs, note: "hand-overs" });
  return bars;
}

function attemptsMax(record: ActivationRecord, version: VersionRecord | undefined): number {
  const max = record.mode === "sync" ? 1 : (version?.config.retry.max_attempts ?? LIMITS.asyncAttemptsMax);
  return Math.max(max, record.attempt);
}

/** @returns `12 ms of 3.0 s  0 %`, or only what was used where the limit is not known */
const share = (used: number, limit: number | undefined, format: (value: number) => string): string =>
  limit === undefined
    ? format(used)
    : `${format(used)} of ${format(limit)}  ${limit === 0 ? 0 : Math.round((used / limit) * 100)} %`;

const resultBytes = ({ result, result_truncated }: ActivationRecord): number =>
  result === undefined ? 0 : result_truncated ? LIMITS.resultRecordBytesMax : Buffer.byteLength(result.body);

/** What was used of each limit, in per cent where the limit is known. */
function usage(record: ActivationRecord, version: VersionRecord | undefined): [string, string][] {
  const memory = version === undefined ? undefined : version.config.memory_mb * 1024 * 1024;
  const running = record.timings.init_ms + record.timings.handler_ms;
  const budgets = version === undefined ? undefined : budgetsOf(version.config);
  const external = budgets === undefined ? undefined : budgets.external_memory_mb * 1024 * 1024;
  const { timers = 0, open_fetches = 0, external_memory_bytes = 0 } = record.usage ?? {};
  const cut = record.logs_truncated ? ", cut" : "";
  return [
    ["time", share(running, version?.config.timeout_ms, formatMs)],
    ["cpu", share(record.cpu_ms, budgets?.cpu_ms, formatMs)],
    ["memory", share(record.memory_peak_bytes, memory, formatBytes)],
    ["outside the heap", share(external_memory_bytes, external, formatBytes)],
    ["logs", share(record.log_bytes, budgets?.log_bytes ?? LIMITS.logBytesMax, formatBytes) + cut],
    ["result", share(resultBytes(record), budgets?.result_bytes, formatBytes)],
    ["calls made", share(record.host_calls, budgets?.host_calls, String)],
    ["calls out", share(record.egress_bytes, budgets?.egress_bytes, formatBytes)],
    ["open fetches", share(open_fetches, budgets?.open_fetches, String)],
    ["timers", share(timers, budgets?.timers, String)],
  ];
}
