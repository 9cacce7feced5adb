import assert from "node:assert/strict";
import { test } from "node:test";
import { createUnwritten } from "./unwritten.ts";

test("no more is taken past the bound of ends or bytes, and again when half of it is written", () => {
  let woken = 0;
  const unwritten = createUnwritten({ endsMax: 4, bytesMax: 100, onRoom: () => void woken++ });
  unwritten.add(3, 10);
  assert.equal(unwritten.isFull, false);
  unwritten.add(1, 10);
  assert.equal(unwritten.isFull, true);
  unwritten.done(1, 5);
  assert.deepEqual([unwritten.isFull, woken], [true, 0]);
  unwritten.done(1, 5);
  assert.deepEqual([unwritten.isFull, woken], [false, 1]);
  unwritten.done(2, 10);
  assert.equal(woken, 1);
  unwritten.add(1, 100);
  assert.equal(unwritten.isFull, true);
  unwritten.done(1, 100);
  assert.deepEqual([unwritten.isFull, woken], [false, 2]);
});
