import assert from "node:assert/strict";
import { test } from "node:test";
import { startPollerWorld, until } from "./testing/poller-world.ts";

test("a worker that was deleted and made again between two looks is polled for as it is now", async () => {
  await using world = await startPollerWorld();
  const { cadence } = world;
  await world.createWorker({ name: "orders", worker_id: "before" });
  await world.startPoller();
  await until(() => cadence.polling.includes("before"), "polls of the first");
  // In one tick, which is one transaction: no look sees the moment between.
  await Promise.all([
    world.deleteWorker("orders"),
    world.createWorker({ name: "orders", worker_id: "after", tasklist: "other" }),
  ]);
  await until(() => cadence.polling.includes("after"), "polls of the second");
  const { activity } = cadence.schedule({ tasklist: "other", type: "Work" });
  await until(() => activity.attempts.length === 1, "the task to be taken");
  assert.equal(activity.attempts[0]?.identity, "after");
  await until(() => !cadence.polling.includes("before"), "no polls of the first");
  assert.deepEqual(world.faults, []);
});
