import type { ActivationRecord } from "@sous/contract";
import { GROUP_ENDS_MAX, GROUP_SPAN_MS, readGroup } from "./ended-group.ts";
import type { ActivationFilter } from "./store.ts";
import { storedOr } from "./stored.ts";

/** Places of ends in the order of lists lie above those of other records, which are counted from 1. */
const PLACE_BASE = 2 ** 52;

/** The place of an item in a list, newest first: its moment, then a number that tells items of one moment apart. */
export type Place = readonly [enqueuedAtMs: number, seq: number];

/** Before the first item of a list. */
export const NEWEST = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] as [number, number];

/** A record with its place. */
export interface Placed {
  enqueued_at_ms: number;
  seq: number;
  record: ActivationRecord;
}

/** A group that may hold ends a filter looks for. */
export interface GroupHead {
  seq: number;
  lastMs: number;
}

/** What a walk over groups reads; a driver's. */
export interface GroupSource {
  /** Groups with ends that may pass the filter, newest `lastMs` first, of those whose `lastMs` is at most `untilMs`. */
  heads(filter: ActivationFilter, untilMs: number): AsyncIterable<GroupHead>;
  /** @returns the document of a group, or `undefined` when it was swept meanwhile */
  document(seq: number): Promise<string | undefined>;
}

export const newestFirst = (a: Placed, b: Placed): number =>
  b.enqueued_at_ms - a.enqueued_at_ms || b.seq - a.seq;

/**
 * Walks the ends that pass a filter, newest first, from below a place on. Groups overlap in time, so an end is
 * only given out when no group that is still closed can hold a newer one.
 */
export async function* walkEnds(
  source: GroupSource,
  filter: ActivationFilter,
  before: Place,
): AsyncGenerator<Placed> {
  if (filter.status === "queued" || filter.status === "running") return;
  const opened = new Set<number>();
  let found: Placed[] = [];
  // A group that goes on past the place may hold ends before it.
  for await (const { seq, lastMs } of source.heads(filter, before[0] + GROUP_SPAN_MS)) {
    while (found.length > 0 && (found[0] as Placed).enqueued_at_ms > lastMs) yield found.shift() as Placed;
    if (opened.has(seq)) continue;
    opened.add(seq);
    const document = await source.document(seq);
    if (document === undefined) continue;
    found = [...found, ...endsOf(document, seq, filter, before)].toSorted(newestFirst);
  }
  yield* found;
}

function endsOf(
  document: string,
  seq: number,
  filter: ActivationFilter,
  [beforeMs, beforeSeq]: Place,
): Placed[] {
  const placed: Placed[] = [];
  for (const [at, { record }] of storedOr(() => readGroup(document)).entries()) {
    const place = PLACE_BASE + seq * GROUP_ENDS_MAX + at;
    const { enqueued_at_ms } = record;
    const isBelow = enqueued_at_ms < beforeMs || (enqueued_at_ms === beforeMs && place < beforeSeq);
    if (isBelow && passes(record, filter)) placed.push({ enqueued_at_ms, seq: place, record });
  }
  return placed;
}

/** @returns whether a record is one that the filter asks for */
export function passes(record: ActivationRecord, filter: ActivationFilter): boolean {
  return (
    record.tenant === filter.tenant &&
    (filter.namespace === undefined || record.namespace === filter.namespace) &&
    (filter.function === undefined || record.function === filter.function) &&
    (filter.status === undefined || record.status === filter.status) &&
    (filter.trigger === undefined || record.trigger.type === filter.trigger) &&
    record.enqueued_at_ms >= (filter.sinceMs ?? 0)
  );
}
