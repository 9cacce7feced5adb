import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleInvocation } from "../activations/testing/sample-invocation.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import { unrun } from "./unrun.ts";
import { bytesOfEnd, createUnwritten } from "./unwritten.ts";

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

test("whoever waits goes on when all is written, and after its time where it is not", async () => {
  const unwritten = createUnwritten({ endsMax: 4, onRoom() {} });
  await unwritten.settled(60_000);
  unwritten.add(2, 10);
  let isOver = false;
  const waiting = unwritten.settled(60_000).then(() => (isOver = true));
  unwritten.done(1, 5);
  await new Promise(setImmediate);
  assert.equal(isOver, false);
  unwritten.done(1, 5);
  await waiting;
  unwritten.add(1, 10);
  await unwritten.settled(10);
});

test("an end counts with its result, its error and the lines of its log", () => {
  const activation = new LiveActivation(sampleInvocation({}), 1, "isolate");
  const failed = activation.terminal(unrun({ type: "Exception", message: "x".repeat(100) }), Date.now());
  const result = { statusCode: 200, headers: {}, body: "y".repeat(1000), isBase64Encoded: false };
  assert.equal(bytesOfEnd(failed, ["a".repeat(20), "b".repeat(30)]), 150);
  assert.equal(bytesOfEnd({ ...failed, result }, []), 1100);
  const cookies = ["c".repeat(200), "d".repeat(300)];
  assert.equal(bytesOfEnd({ ...failed, result: { ...result, cookies } }, []), 1600);
});
