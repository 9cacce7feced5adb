import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { forEachAtMost } from "./for-each-at-most.ts";

test("each item is worked on once, and never more at a time than it may be", async () => {
  const done: number[] = [];
  let open = 0;
  let most = 0;
  await forEachAtMost([0, 1, 2, 3, 4, 5, 6], 3, async (item) => {
    most = Math.max(most, ++open);
    await turn();
    open--;
    done.push(item);
  });
  assert.deepEqual([done, most], [[0, 1, 2, 3, 4, 5, 6], 3]);
});

test("after a failure nothing more begins, and it is told when what had begun is over", async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const working = forEachAtMost([0, 1, 2, 3], 2, async (item) => {
    begun.push(item);
    await turn();
    if (item === 0) throw new Error("the first");
    await turn();
    ended.push(item);
  });
  await assert.rejects(working, /the first/);
  assert.deepEqual([begun, ended], [[0, 1], [1]]);
});
