import assert from "node:assert/strict";
import test from "node:test";
import { OrderedEnds } from "./ordered-ends.ts";

test("the position moves over what has ended, and stops before what has not", () => {
  const ends = new OrderedEnds<number>();
  for (let at = 1; at <= 5; at++) ends.read(String(at), at);
  assert.equal(ends.end(["2", "3"]), undefined);
  assert.equal(ends.end(["1"]), 3);
  assert.equal(ends.end(["5"]), undefined);
  assert.equal(ends.isEmpty, false);
  assert.equal(ends.end(["4"]), 5);
  assert.equal(ends.isEmpty, true);
  assert.equal(ends.end(["4", "9"]), undefined);
});

test("a position that could not be written is written by the next call, though that ends nothing more", async () => {
  const ends = new OrderedEnds<number>();
  for (let at = 1; at <= 3; at++) ends.read(String(at), at);
  const written: number[] = [];
  let isAway = true;
  const write = async (position: number): Promise<void> => {
    if (isAway) throw new Error("away");
    written.push(position);
  };
  await assert.rejects(ends.endAndWrite(["1", "2"], write), /away/);
  isAway = false;
  await ends.endAndWrite(["1", "2"], write);
  await ends.endAndWrite(["1", "2"], write);
  await ends.endAndWrite(["3"], write);
  assert.deepEqual(written, [2, 3]);
});
