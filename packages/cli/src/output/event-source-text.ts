import type { EventSourceItem, EventSourceReply } from "@sous/contract";
import type { Output } from "./output.ts";
import { formatFields } from "./table.ts";

/** @returns what an event source runs: `hello@prod` */
export const runsText = ({ ref }: EventSourceItem): string =>
  `${ref.function}@${ref.alias ?? (ref.version === undefined ? "latest" : String(ref.version))}`;

/** @returns what an event source reads, for people */
export function readsText({ type, codeq, webhook, sqs, redis_stream, kinesis, s3 }: EventSourceItem): string {
  const what =
    codeq?.topic ??
    webhook?.signature?.scheme ??
    sqs?.queue_url ??
    redis_stream?.stream ??
    kinesis?.stream ??
    s3?.bucket ??
    "with a token";
  return `${type} ${what}`;
}

/** Prints one event source, and what will not work yet. */
export function printEventSource(output: Output, source: EventSourceReply): void {
  output.data(source, () =>
    formatFields([
      ["event source", source.name],
      ["reads", readsText(source)],
      ["runs", runsText(source)],
      ["state", source.enabled ? "enabled" : "paused"],
      ["batches", `${source.batch_size} messages, ${source.batch_window_ms} ms window`],
      ["at a time", String(source.parallelism)],
      ["attempts", source.retry.max_attempts === 0 ? "by the queue" : String(source.retry.max_attempts)],
      ["filters", source.filters.length === 0 ? "none" : JSON.stringify(source.filters)],
      ["generation", String(source.generation)],
      ...(source.url === undefined ? [] : ([["send to", source.url]] as [string, string][])),
    ]),
  );
  for (const warning of source.warnings) output.warn(warning);
}
