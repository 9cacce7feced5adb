import type { Message, WaitingFilter, WaitingPage, WaitingPlace } from "../codeq.ts";

/** @returns the page of a list, of messages in no order: it costs a look at each */
export function waitingPage<Body>(
  messages: Iterable<Message<Body>>,
  filter: WaitingFilter,
  below: WaitingPlace | undefined,
  limit: number,
): WaitingPage<Body> {
  const found: Message<Body>[] = [];
  for (const message of messages) {
    if (!isOfLane(message.lane, filter.lane)) continue;
    if (below === undefined || newestFirst(below, message) < 0) found.push(message);
  }
  const page = found.sort(newestFirst).slice(0, limit);
  const last = page.at(-1);
  if (last === undefined || page.length === found.length) return { messages: page };
  return { messages: page, next: { enqueued_at_ms: last.enqueued_at_ms, id: last.id } };
}

function isOfLane(lane: string, wanted: string | undefined): boolean {
  if (wanted === undefined) return true;
  return wanted.endsWith("/") ? lane.startsWith(wanted) : lane === wanted;
}

function newestFirst(a: WaitingPlace, b: WaitingPlace): number {
  if (a.enqueued_at_ms !== b.enqueued_at_ms) return b.enqueued_at_ms - a.enqueued_at_ms;
  if (a.id === b.id) return 0;
  return a.id < b.id ? 1 : -1;
}
