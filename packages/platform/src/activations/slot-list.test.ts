import assert from "node:assert/strict";
import { test } from "node:test";
import { SlotList } from "./slot-list.ts";

test("slots are used again, and only their own item empties them", () => {
  const list = new SlotList<{ n: number }>();
  const items = Array.from({ length: 5 }, (_, n) => ({ n }));
  const slots = items.map((item) => list.add(item));
  assert.deepEqual(slots, [0, 1, 2, 3, 4]);
  assert.equal(list.delete(2, items[1] ?? { n: -1 }), false);
  assert.equal(list.delete(2, items[2] ?? { n: -1 }), true);
  assert.equal(list.delete(2, items[2] ?? { n: -1 }), false, "twice");
  assert.equal(list.size, 4);
  const late = { n: 9 };
  assert.equal(list.add(late), 2);
  assert.deepEqual(
    [...list].map(({ n }) => n),
    [0, 1, 9, 3, 4],
  );
});

test("what is deleted while somebody looks is passed over", () => {
  const list = new SlotList<{ slot: number }>();
  for (let i = 0; i < 10; i++) {
    const item = { slot: 0 };
    item.slot = list.add(item);
  }
  let seen = 0;
  for (const item of list) {
    seen++;
    list.delete(item.slot, item);
  }
  assert.equal(seen, 10);
  assert.equal(list.size, 0);
});

test("the first item that matches is found, past slots that are empty", () => {
  const list = new SlotList<{ n: number }>();
  const items = Array.from({ length: 4 }, (_, n) => ({ n }));
  for (const [slot, item] of items.entries()) assert.equal(list.add(item), slot);
  list.delete(0, items[0] ?? { n: -1 });
  assert.equal(
    list.find(({ n }) => n >= 1),
    items[1],
  );
  assert.equal(
    list.find(({ n }) => n === 0),
    undefined,
  );
});
