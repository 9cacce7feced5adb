import { LIMITS, PlatformError } from "@sous/contract";
import type { PageRequest } from "./store.ts";

/** What a cursor carries: the sort key of the last item of its page. */
type CursorKey = readonly (string | number)[];

/** @returns an opaque cursor for the page after the item with this sort key */
export function encodeCursor(key: CursorKey): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}

/**
 * Reads a cursor back.
 * @param first the key before the first item, for a request without a cursor; tells the types to expect
 * @throws CS_VALIDATION_FAILED for anything `encodeCursor` did not make for this kind of list
 */
export function decodeCursor<Key extends CursorKey>(page: PageRequest, first: Key): Key {
  if (page.cursor === undefined) return first;
  let key: unknown;
  try {
    key = JSON.parse(Buffer.from(page.cursor, "base64url").toString());
  } catch (cause) {
    throw badCursor(cause);
  }
  const fits =
    Array.isArray(key) &&
    key.length === first.length &&
    key.every((value, index) => typeof value === typeof first[index] && value !== Infinity);
  if (!fits) throw badCursor();
  return key as unknown as Key;
}

/** @throws CS_VALIDATION_FAILED unless the limit of a page is in range */
export function checkLimit({ limit }: PageRequest): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMITS.pageSizeMax) return;
  throw new PlatformError(
    "CS_VALIDATION_FAILED",
    `limit must be an integer from 1 to ${LIMITS.pageSizeMax}, not ${limit}`,
  );
}

/**
 * Makes a page of rows that were read with one more than the limit.
 * @param keyOf the sort key of a row, for the cursor
 */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  itemOf: (row: Row) => Item,
  keyOf: (row: Row) => CursorKey,
): { items: Item[]; next_cursor: string | null } {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    items: rows.slice(0, limit).map(itemOf),
    next_cursor: last === undefined ? null : encodeCursor(keyOf(last)),
  };
}

const badCursor = (cause?: unknown): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", "cursor is not one of this list's; start again without one", {
    cause,
  });
