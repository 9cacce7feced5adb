/** One page of a list of the control API. */
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

const PAGE_SIZE_MAX = 500;

/**
 * Reads a cursor-paged list up to a bound, page by page.
 * @param readPage reads the page at a cursor, at most `limit` items
 * @param itemsMax where to stop; `Infinity` reads everything
 * @returns the items, and the cursor after them where there are more
 */
export async function readItems<T>(
  readPage: (query: { limit: number; cursor: string | undefined }) => Promise<Page<T>>,
  itemsMax: number,
): Promise<Page<T>> {
  const items: T[] = [];
  let cursor: string | undefined;
  while (true) {
    const limit = Math.min(PAGE_SIZE_MAX, itemsMax - items.length);
    const page = await readPage({ limit, cursor });
    items.push(...page.items);
    if (page.next_cursor === null || items.length >= itemsMax)
      return { items, next_cursor: page.next_cursor };
    cursor = page.next_cursor;
  }
}
