import { setImmediate as nextTurn } from "node:timers/promises";
import { type End, GROUP_ENDS_MAX, GROUP_SPAN_MS, idMoment, readGroup } from "../../ended-group.ts";
import type { ActivationFilter, TerminalRecord } from "../../store.ts";
import type { Access } from "./access.ts";
import { storedOr } from "./stored.ts";

/** Places of ends in the order of lists lie above those of rows, which are counted from 1. */
const PLACE_BASE = 2 ** 52;
/** Heads of groups read at a time. */
const HEADS = 32;

/** The place of an item in a list, newest first: its moment, then a number that tells items of one moment apart. */
export type Place = readonly [enqueuedAtMs: number, seq: number];

export interface Placed {
  enqueued_at_ms: number;
  seq: number;
  record: TerminalRecord;
}

interface Head {
  group_seq: number;
  last_ms: number;
}

/** Finds an end among the groups: few of them may hold the moment its id was made at. */
export async function findEnd(
  { reader, statements }: Access,
  tenant: string,
  id: string,
): Promise<End | undefined> {
  const madeMs = idMoment(id);
  if (madeMs === undefined) return undefined;
  const row = await reader.get(statements.groups.holding, { id, madeMs, floorMs: madeMs - GROUP_SPAN_MS });
  if (row === undefined) return undefined;
  return storedOr(() => readGroup(row.doc)).find(
    ({ record }) => record.activation_id === id && record.tenant === tenant,
  );
}

/**
 * Walks the ends that pass a filter, newest first, from below a place on. Groups overlap in time, so an end is
 * only given out when no group that is still closed can hold a newer one. Others get a turn after each group.
 */
export async function* walkEnds(access: Access, filter: ActivationFilter, before: Place) {
  if (filter.status === "queued" || filter.status === "running") return;
  const opened = new Set<number>();
  let found: Placed[] = [];
  for await (const head of walkHeads(access, filter, before)) {
    while (found.length > 0 && (found[0] as Placed).enqueued_at_ms > head.last_ms)
      yield found.shift() as Placed;
    if (opened.has(head.group_seq)) continue;
    opened.add(head.group_seq);
    found = [...found, ...(await endsOf(access, head.group_seq, filter, before))].toSorted(newestFirst);
    await nextTurn();
  }
  yield* found;
}

async function* walkHeads(
  { reader, statements }: Access,
  filter: ActivationFilter,
  [beforeMs]: Place,
): AsyncGenerator<Head> {
  const { tenant, namespace, function: name, status, sinceMs = 0 } = filter;
  const failedOnly = status !== undefined && status !== "success" ? 1 : 0;
  // A group that goes on past the place may hold ends before it.
  let below = { beforeMs: beforeMs + GROUP_SPAN_MS + 1, beforeSeq: 0 };
  for (;;) {
    const at = { ...below, sinceMs, failedOnly, limit: HEADS };
    const heads: Head[] =
      namespace !== undefined && name !== undefined
        ? await reader.all(statements.groups.ofFunction, { ...at, tenant, namespace, function: name })
        : await reader.all(statements.groups.ofTenant, { ...at, tenant });
    yield* heads;
    const last = heads.at(-1);
    if (last === undefined || heads.length < HEADS) return;
    below = { beforeMs: last.last_ms, beforeSeq: last.group_seq };
    await nextTurn();
  }
}

async function endsOf(
  { reader, statements }: Access,
  seq: number,
  filter: ActivationFilter,
  [beforeMs, beforeSeq]: Place,
): Promise<Placed[]> {
  const row = await reader.get(statements.groups.doc, { seq });
  // Swept since its head was read.
  if (row === undefined) return [];
  const placed: Placed[] = [];
  for (const [at, { record }] of storedOr(() => readGroup(row.doc)).entries()) {
    const place = PLACE_BASE + seq * GROUP_ENDS_MAX + at;
    const { enqueued_at_ms } = record;
    const isBelow = enqueued_at_ms < beforeMs || (enqueued_at_ms === beforeMs && place < beforeSeq);
    if (isBelow && passes(record, filter)) placed.push({ enqueued_at_ms, seq: place, record });
  }
  return placed;
}

function passes(record: TerminalRecord, filter: ActivationFilter): boolean {
  return (
    record.tenant === filter.tenant &&
    (filter.namespace === undefined || record.namespace === filter.namespace) &&
    (filter.function === undefined || record.function === filter.function) &&
    (filter.status === undefined || record.status === filter.status) &&
    (filter.trigger === undefined || record.trigger.type === filter.trigger) &&
    record.enqueued_at_ms >= (filter.sinceMs ?? 0)
  );
}

const newestFirst = (a: Placed, b: Placed): number => b.enqueued_at_ms - a.enqueued_at_ms || b.seq - a.seq;
