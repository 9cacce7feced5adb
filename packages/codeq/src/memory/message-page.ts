import type { FoundMessage, MessageFilter, MessagePage, MessagePlace } from "../codeq.ts";

/** @returns the page of a list, of messages in no order: it costs a look at each */
export function messagePage<Body>(
  messages: Iterable<FoundMessage<Body>>,
  filter: MessageFilter,
  below: MessagePlace | undefined,
  limit: number,
): MessagePage<Body> {
  const older: FoundMessage<Body>[] = [];
  for (const each of messages) {
    if (!isOfLane(each.message.lane, filter.lane)) continue;
    if (below === undefined || newestFirst(below, each.message) < 0) older.push(each);
  }
  const found = older.sort((a, b) => newestFirst(a.message, b.message)).slice(0, limit);
  const last = found.at(-1)?.message;
  if (last === undefined || found.length === older.length) return { found };
  return { found, next: { enqueued_at_ms: last.enqueued_at_ms, id: last.id } };
}

function isOfLane(lane: string, wanted: string | undefined): boolean {
  if (wanted === undefined) return true;
  return wanted.endsWith("/") ? lane.startsWith(wanted) : lane === wanted;
}

function newestFirst(a: MessagePlace, b: MessagePlace): number {
  if (a.enqueued_at_ms !== b.enqueued_at_ms) return b.enqueued_at_ms - a.enqueued_at_ms;
  if (a.id === b.id) return 0;
  return a.id < b.id ? 1 : -1;
}
