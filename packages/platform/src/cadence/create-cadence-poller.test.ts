import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { CodeQ } from "@sous/codeq";
import { createHeartbeatPublisher, type HeartbeatMessage } from "../cadence-workers/heartbeat-message.ts";
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

test("of two pollers the one that has a task alone tells of it: no more than two a second, in their order, the last for certain", async () => {
  const TASKS = 8;
  const BEATS = 40;
  await using world = await startPollerWorld();
  const { cadence, codeq } = world;
  await world.createWorker({ name: "orders", pollers: { activity: 2 } });
  const pollers = [await world.startPoller(), await world.startPoller()];
  await until(() => cadence.polling.length === 4, "polls of both");
  const queued: string[] = [];
  await using _functions = await world.runFunctions((id) => queued.push(id));
  const begunMs = Date.now();
  const all = Array.from({ length: TASKS }, () =>
    cadence.schedule({ tasklist: "orders", type: "Work", heartbeatMs: 30_000, startToCloseMs: 30_000 }),
  );
  await until(() => queued.length === TASKS, "every task to be queued");
  for (const { figures } of pollers) assert.ok(figures.inflight > 0, "each has its share");

  const beat = createHeartbeatPublisher(codeq as unknown as CodeQ<HeartbeatMessage, unknown>, Date.now);
  const scope = { tenant: "t_default", namespace: "default" };
  for (let n = 1; n <= BEATS; n++) {
    await Promise.all(queued.map((activationId) => beat({ ...scope, activationId }, String(n))));
    await sleep(40);
  }
  const beatsOf = ({ activity }: (typeof all)[number]) =>
    (activity.attempts[0]?.heartbeats ?? []).map(({ details }) => details);
  await until(() => all.every((each) => beatsOf(each).at(-1) === String(BEATS)), "the last of each");
  const seconds = (Date.now() - begunMs) / 1000;
  for (const each of all) {
    const beats = beatsOf(each);
    assert.ok(beats.length <= 2 * seconds + 1, `${beats.length} in ${seconds} s`);
    assert.deepEqual(
      beats.map(Number),
      beats.map(Number).toSorted((a, b) => a - b),
    );
  }
  assert.deepEqual(world.faults, []);
});

test("a poller that ends leaves its tasks to another at once: no heartbeat timeout is missed", async () => {
  const HEARTBEAT_MS = 2500;
  await using world = await startPollerWorld();
  const { cadence } = world;
  await world.createWorker({ name: "orders" });
  const ending = await world.startPoller();
  const queued: string[] = [];
  await using _functions = await world.runFunctions((id) => queued.push(id));
  const { activity } = cadence.schedule({ tasklist: "orders", type: "Work", heartbeatMs: HEARTBEAT_MS });
  await until(() => queued.length === 1, "the task to be queued");
  const next = await world.startPoller();
  await ending.drain(0);
  await ending[Symbol.asyncDispose]();
  await until(() => next.figures.inflight === 1, "the task to be taken up");
  const [attempt] = activity.attempts;
  const lastMs = () => attempt?.heartbeats.at(-1)?.atMs ?? 0;
  const endedMs = Date.now();
  await until(() => lastMs() > endedMs + HEARTBEAT_MS, "heartbeats past the timeout");
  assert.deepEqual([activity.attempts.length, activity.outcome, queued.length], [1, undefined, 1]);
  assert.deepEqual(world.faults, []);
});
