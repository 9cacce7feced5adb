import { type ActivationRecord, PlatformError } from "@sous/contract";
import type { ActivationFilter, Page, PageRequest } from "@sous/store";
import { newestFirst } from "../activations/queued-activations.ts";
import type { ControlContext } from "./control-context.ts";

/** Where the next page begins: in the store, and below which of the queued ones. */
interface Place {
  /** The store's cursor, `null` from its beginning, `false` where it has no more. */
  stored: string | null | false;
  queued: [enqueuedAtMs: number, activationId: string] | null;
}

const MARK = "q.";

/** Lists activations, newest first: the store's, and those that wait in this process's queue without a record. */
export async function listActivations(
  { store, queued }: Pick<ControlContext, "store" | "queued">,
  filter: ActivationFilter,
  page: PageRequest,
): Promise<Page<ActivationRecord>> {
  const place = readPlace(page.cursor);
  const waiting = queued.list(filter).filter((record) => isBelow(record, place.queued));
  const fetch = (limit: number): Promise<Page<ActivationRecord>> =>
    place.stored === false
      ? Promise.resolve({ items: [], next_cursor: null })
      : store.activations.list(filter, { limit, cursor: place.stored ?? undefined });
  const stored = await fetch(page.limit);
  if (waiting.length === 0) return stored;
  const known = new Set(stored.items.map((record) => record.activation_id));
  const fresh = waiting.filter((record) => !known.has(record.activation_id));
  const items = [...stored.items, ...fresh].toSorted(newestFirst).slice(0, page.limit);
  const shown = new Set(items.map((record) => record.activation_id));
  const fromStore = stored.items.filter((record) => shown.has(record.activation_id)).length;
  const next: Place = { stored: place.stored, queued: place.queued };
  if (fromStore === stored.items.length) next.stored = stored.next_cursor ?? false;
  // Its cursor for a part of the page is had by asking for that part.
  else if (fromStore > 0) next.stored = (await fetch(fromStore)).next_cursor ?? false;
  const last = fresh.findLast((record) => shown.has(record.activation_id));
  if (last !== undefined) next.queued = [last.enqueued_at_ms, last.activation_id];
  const more =
    next.stored !== false || fresh.some((record) => isBelow(record, next.queued) && record !== last);
  return { items, next_cursor: more ? writePlace(next) : null };
}

function isBelow(record: ActivationRecord, place: Place["queued"]): boolean {
  if (place === null) return true;
  const [enqueuedAtMs, activationId] = place;
  if (record.enqueued_at_ms !== enqueuedAtMs) return record.enqueued_at_ms < enqueuedAtMs;
  return record.activation_id < activationId;
}

const writePlace = (place: Place): string =>
  MARK + Buffer.from(JSON.stringify([place.stored, place.queued])).toString("base64url");

/** @throws CS_VALIDATION_FAILED for a cursor that is none of ours; the store judges its own */
function readPlace(cursor: string | undefined): Place {
  if (cursor === undefined) return { stored: null, queued: null };
  if (!cursor.startsWith(MARK)) return { stored: cursor, queued: null };
  try {
    const [stored, queued] = JSON.parse(Buffer.from(cursor.slice(MARK.length), "base64url").toString()) as [
      unknown,
      unknown,
    ];
    const storedFits = stored === null || stored === false || typeof stored === "string";
    const queuedFits =
      queued === null ||
      (Array.isArray(queued) &&
        queued.length === 2 &&
        typeof queued[0] === "number" &&
        typeof queued[1] === "string");
    if (storedFits && queuedFits) return { stored, queued: queued as Place["queued"] };
  } catch {
    // Said below.
  }
  throw new PlatformError(
    "CS_VALIDATION_FAILED",
    "cursor is not one of this list's; start again without one",
  );
}
