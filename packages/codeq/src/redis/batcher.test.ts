import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Batcher } from "./batcher.ts";

function recorder(gathers: "this" | "turn" = "turn", worth?: number) {
  const batches: number[][] = [];
  const answers: (() => void)[] = [];
  const batcher = new Batcher<number, number>({
    send(items) {
      batches.push([...items]);
      return new Promise((resolve) => answers.push(() => resolve(items.map((item) => -item))));
    },
    inFlightMax: 2,
    gathers,
    worth,
    itemsMax: 4,
    bytesMax: 100,
    bytesOf: (item) => item,
  });
  return { batches, answers, batcher };
}

test("what is asked for in one turn of the event loop goes together, though microtasks lie between", async () => {
  const { batches, answers, batcher } = recorder();
  const replies = [batcher.add(1)];
  await Promise.resolve();
  replies.push(batcher.add(2));
  await turn();
  assert.deepEqual(batches, [[1, 2]]);
  answers[0]?.();
  assert.deepEqual(await Promise.all(replies), [-1, -2]);
});

test("where a call may follow in the same turn nothing waits for the end of it", async () => {
  const { batches, batcher } = recorder("this");
  for (const item of [1, 2]) void batcher.add(item);
  await Promise.resolve();
  assert.deepEqual(batches, [[1, 2]]);
});

test("what is worth a batch goes at the end of the tick, while fewer than its bound are on their way", async () => {
  const { batches, batcher } = recorder("turn", 2);
  const tick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));
  void batcher.add(1);
  await tick();
  assert.deepEqual(batches, [], "one alone waits for the end of the turn");
  for (const item of [2, 3]) void batcher.add(item);
  assert.deepEqual(batches, [], "what is added together goes together");
  await tick();
  assert.deepEqual(batches, [[1, 2, 3]]);
  for (const item of [4, 5]) void batcher.add(item);
  await tick();
  assert.deepEqual(batches.at(-1), [4, 5]);
  for (const item of [6, 7]) void batcher.add(item);
  await tick();
  await turn();
  assert.equal(batches.length, 2, "two are on their way");
});

test("what comes while calls are on their way makes up the next, within its bounds", async () => {
  const { batches, answers, batcher } = recorder();
  for (const item of [1, 2, 3, 4, 5, 6]) void batcher.add(item);
  await turn();
  for (const item of [7, 60, 50, 8]) void batcher.add(item);
  await turn();
  assert.deepEqual(batches, [
    [1, 2, 3, 4],
    [5, 6],
  ]);
  answers[0]?.();
  await turn();
  assert.deepEqual(batches.at(-1), [7, 60]);
  answers[1]?.();
  answers[2]?.();
  await turn();
  assert.deepEqual(batches.at(-1), [50, 8]);
});
