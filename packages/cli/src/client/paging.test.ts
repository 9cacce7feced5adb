import test from "node:test";
import assert from "node:assert/strict";
import { readItems } from "./paging.ts";

/** Pages over the numbers from 0 to `count` - 1, at most `pageMax` at once. */
function numbers(count: number, pageMax: number) {
  const asked: number[] = [];
  const readPage = async ({ limit, cursor }: { limit: number; cursor: string | undefined }) => {
    asked.push(limit);
    const from = Number(cursor ?? 0);
    const to = Math.min(count, from + Math.min(limit, pageMax));
    const items = Array.from({ length: to - from }, (_, index) => from + index);
    return { items, next_cursor: to < count ? String(to) : null };
  };
  return { asked, readPage };
}

test("reading all goes through every page", async () => {
  const { readPage } = numbers(1201, 500);
  const { items, next_cursor } = await readItems(readPage, Number.POSITIVE_INFINITY);
  assert.equal(items.length, 1201);
  assert.equal(items.at(-1), 1200);
  assert.equal(next_cursor, null);
});

test("a bound stops in the middle and keeps the cursor", async () => {
  const { readPage, asked } = numbers(1201, 500);
  const { items, next_cursor } = await readItems(readPage, 600);
  assert.equal(items.length, 600);
  assert.equal(next_cursor, "600");
  assert.deepEqual(asked, [500, 100]);
});
