import type { MessagePlace } from "@sous/codeq";
import { type ActivationRecord, PlatformError } from "@sous/contract";
import type { ActivationFilter, Page, PageRequest } from "@sous/store";
import { newestFirst } from "../activations/queued-activations.ts";
import type { ControlContext } from "./control-context.ts";

/** Where the next page begins: in the store, and below which of the queued ones. */
interface Place {
  /** The store's cursor, `null` from its beginning, `false` where it has no more. */
  stored: string | null | false;
  queued: MessagePlace | null;
  /** The moment of the last one shown: what left the queue for the store since is newer, and was shown already. */
  belowMs: number | null;
  /** The tags of those shown of that moment. */
  at: string[];
}

/** Tags of one moment that a cursor carries; of more in one millisecond some may be shown twice. */
const AT_MAX = 100;
/** What tells ids of one moment apart, their count and the end of their chance: whole ones would not fit into a cursor. */
const tagOf = ({ activation_id: id }: ActivationRecord): string => id.slice(15, 18) + id.slice(-5);
const TAG = /.{8}/g;
/** Pages of the store that may be passed over for one page of the list. */
const PASSED_MAX = 20;

const MARK = "q.";

/**
 * Lists activations, newest first: the store's, and those that wait in the queue without a record. What moves from there
 * to the store between two pages is shown once.
 */
export async function listActivations(
  { store, queued }: Pick<ControlContext, "store" | "queued">,
  filter: ActivationFilter,
  page: PageRequest,
): Promise<Page<ActivationRecord>> {
  const place = readPlace(page.cursor);
  const { records: waiting, next: looked } = await queued.list(filter, place.queued ?? undefined, page.limit);
  const read = async (cursor: Place["stored"], limit: number): Promise<Page<ActivationRecord>> => {
    if (cursor === false) return { items: [], next_cursor: null };
    return store.activations.list(filter, { limit, cursor: cursor ?? undefined });
  };
  let { stored: from } = place;
  let stored = await read(from, page.limit);
  for (
    let passed = 0;
    passed < PASSED_MAX && isShown(stored, place) && stored.next_cursor !== null;
    passed++
  ) {
    from = stored.next_cursor;
    stored = await read(from, page.limit);
  }
  if (waiting.length === 0 && looked === undefined && place.belowMs === null) return stored;
  const left = stored.items.filter((record) => !wasShown(record, place));
  const known = new Set(stored.items.map((record) => record.activation_id));
  const fresh = waiting.filter((record) => !known.has(record.activation_id) && !wasShown(record, place));
  // Of what is older than either has been asked for nothing is known yet: what the other has of that time comes with it.
  const lastStored = stored.next_cursor === null ? undefined : stored.items.at(-1);
  const items = [...left, ...fresh]
    .filter((record) => looked === undefined || !isBelow(record, looked))
    .filter((record) => lastStored === undefined || record.enqueued_at_ms >= lastStored.enqueued_at_ms)
    .toSorted(newestFirst)
    .slice(0, page.limit);
  const shown = new Set(items.map((record) => record.activation_id));
  const fromStore = stored.items.findLastIndex((record) => shown.has(record.activation_id)) + 1;
  const isWhole = fromStore === stored.items.length || left.length === 0;
  const belowMs = items.at(-1)?.enqueued_at_ms ?? place.belowMs;
  const at = items.filter((record) => record.enqueued_at_ms === belowMs).map(tagOf);
  if (belowMs === place.belowMs) at.unshift(...place.at);
  const next: Place = { stored: from, queued: place.queued, belowMs, at: at.slice(-AT_MAX) };
  if (isWhole) next.stored = stored.next_cursor ?? from;
  // Its cursor for a part of the page is had by asking for that part.
  else if (fromStore > 0) next.stored = (await read(from, fromStore)).next_cursor ?? false;
  const last = fresh.findLast((record) => shown.has(record.activation_id));
  if (last !== undefined) next.queued = { enqueued_at_ms: last.enqueued_at_ms, id: last.activation_id };
  const isLookedThrough = fresh.every((record) => shown.has(record.activation_id));
  if (isLookedThrough && looked !== undefined) next.queued = looked;
  const waits = !isLookedThrough || looked !== undefined;
  // As long as something waits, it may turn up in the store.
  if (isWhole && stored.next_cursor === null && !waits) next.stored = false;
  const more = next.stored !== false || waits;
  return { items, next_cursor: more ? writePlace(next) : null };
}

function wasShown(record: ActivationRecord, { belowMs, at }: Place): boolean {
  if (belowMs === null || record.enqueued_at_ms < belowMs) return false;
  return record.enqueued_at_ms > belowMs || at.includes(tagOf(record));
}

/** Whether a page of the store holds nothing but what was shown while it waited. */
const isShown = ({ items }: Page<ActivationRecord>, place: Place): boolean =>
  items.length > 0 && items.every((record) => wasShown(record, place));

function isBelow(record: ActivationRecord, { enqueued_at_ms, id }: MessagePlace): boolean {
  if (record.enqueued_at_ms !== enqueued_at_ms) return record.enqueued_at_ms < enqueued_at_ms;
  return record.activation_id < id;
}

function writePlace({ stored, queued, belowMs, at }: Place): string {
  const place = queued === null ? null : [queued.enqueued_at_ms, queued.id];
  return MARK + Buffer.from(JSON.stringify([stored, place, belowMs, at.join("")])).toString("base64url");
}

/** @throws CS_VALIDATION_FAILED for a cursor that is none of ours; the store judges its own */
function readPlace(cursor: string | undefined): Place {
  if (cursor === undefined) return { stored: null, queued: null, belowMs: null, at: [] };
  if (!cursor.startsWith(MARK)) return { stored: cursor, queued: null, belowMs: null, at: [] };
  try {
    const text = Buffer.from(cursor.slice(MARK.length), "base64url").toString();
    const [stored, queued, belowMs, at] = JSON.parse(text) as [unknown, unknown, unknown, unknown];
    const storedFits = stored === null || stored === false || typeof stored === "string";
    const momentFits = belowMs === null || typeof belowMs === "number";
    const place = readQueuedPlace(queued);
    if (storedFits && momentFits && place !== undefined && typeof at === "string")
      return { stored, queued: place, belowMs, at: at.match(TAG) ?? [] };
  } catch {
    // Said below.
  }
  throw new PlatformError(
    "CS_VALIDATION_FAILED",
    "cursor is not one of this list's; start again without one",
  );
}

/** @returns `undefined` for what is none */
function readQueuedPlace(value: unknown): MessagePlace | null | undefined {
  if (value === null) return null;
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [enqueued_at_ms, id] = value as unknown[];
  return typeof enqueued_at_ms === "number" && typeof id === "string" ? { enqueued_at_ms, id } : undefined;
}
