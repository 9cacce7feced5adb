import type { EventSourceRecord } from "@sous/contract";
import type { SourceMessage } from "../adapter.ts";
import { parsedOr } from "./parsed-or.ts";

/** An entry of a stream; without fields where it was cut meanwhile. */
export interface Entry {
  id: string;
  fields: [string, string][] | undefined;
}

/** Reads the answer to XREADGROUP of one stream. */
export function readEntries(reply: unknown): Entry[] {
  if (!Array.isArray(reply)) return [];
  const [first] = reply as [string, [string, string[] | null][]][];
  return (first?.[1] ?? []).map(([id, list]) => ({
    id,
    fields:
      list === null
        ? undefined
        : Array.from({ length: list.length / 2 }, (_, at) => [list[at * 2] ?? "", list[at * 2 + 1] ?? ""]),
  }));
}

/** @returns an entry as the framework, filters and functions see it */
export function redisMessage(
  source: EventSourceRecord,
  stream: string,
  id: string,
  fields: readonly [string, string][],
  attempt: number,
): SourceMessage {
  const record = {
    messageId: id,
    eventSource: "cs:redis_stream",
    eventSourceName: source.name,
    stream,
    attempt,
    body: Object.fromEntries(fields),
  };
  const body = Object.fromEntries(fields.map(([name, value]) => [name, parsedOr(value)]));
  // The id begins with the server's own time.
  const atMs = Number(id.split("-", 1)[0]);
  return { id, atMs, attempt, json: JSON.stringify(record), match: { stream, body } };
}
