import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { CadenceMeter } from "./cadence-meter.ts";
import { createCadenceServer } from "./grpc/cadence-server.ts";
import { OpenTask } from "./open-task.ts";
import type { TaskEntry } from "./task-book.ts";
import { startMockCadence } from "./testing/mock-cadence.ts";
import { until } from "./testing/poller-world.ts";
import { sampleEntry } from "./testing/sample-entry.ts";

const QUEUE = { domain: "shop", name: "orders", identity: "w1" };
const GAP_MS = 100;

/** A task that was taken from a Cadence server, and what it told of itself. */
async function taken(t: TestContext, heartbeatMs = 0, fields: Partial<TaskEntry> = {}) {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const mock = stack.use(await startMockCadence());
  const server = stack.use(createCadenceServer({ url: mock.url, token: "", clientVersion: "1" }));
  const { activity } = mock.schedule({ tasklist: QUEUE.name, type: "Work", heartbeatMs });
  const task = await server.poll(QUEUE, new AbortController().signal);
  assert.ok(task);
  const told: string[] = [];
  const meter: CadenceMeter = {
    polled: () => {},
    ended: () => {},
    heartbeat: (_, outcome) => void told.push(outcome),
    fault: () => {},
  };
  const open = new OpenTask(
    {
      server,
      meter,
      clock: Date.now,
      gapMs: GAP_MS,
      onCancel: () => void told.push("onCancel"),
      onGone(task) {
        told.push("onGone");
        task.close();
      },
    },
    sampleEntry(QUEUE, task, fields),
    () => void told.push("released"),
  );
  stack.defer(() => open.close());
  const beats = (): string[] => activity.attempts[0]?.heartbeats.map(({ details }) => details) ?? [];
  return { mock, activity, open, told, beats };
}

test("of what a function says in a burst the last goes, once, and is noted for the book", async (t) => {
  const { open, beats } = await taken(t);
  for (let n = 1; n <= 20; n++) open.tell(Buffer.from(String(n)));
  assert.equal(open.isKept, false);
  assert.equal(Buffer.from(open.entry.details, "base64").toString(), "20");
  await until(() => beats().length > 0, "a heartbeat");
  open.tell(Buffer.from("21"));
  await until(() => beats().length > 1, "the next");
  assert.deepEqual(beats(), ["20", "21"]);
});

test("what a failed heartbeat should have said goes with the next one", async (t) => {
  const { mock, open, told, beats } = await taken(t, 3000);
  mock.refuse("heartbeat", "Unavailable");
  open.tell(Buffer.from("half"));
  await until(() => told.length > 1, "two heartbeats");
  assert.deepEqual([beats()[0], told.slice(0, 2)], ["half", ["error", "ok"]]);
});

test("each heartbeat tells of a wish to end early, until it is answered", async (t) => {
  const { activity, open, told } = await taken(t, 1500);
  activity.requestCancel();
  await until(() => told.filter((word) => word === "onCancel").length === 2, "two of them");
  assert.equal(open.cancelRequested, true);
  open.state = "answering";
  const before = told.length;
  await until(() => told.length > before, "another heartbeat");
  assert.deepEqual(told.slice(before), ["cancel"]);
});

test("a task that is gone says so, and nothing more is sent once it is closed", async (t) => {
  const { mock, activity, open, told } = await taken(t, 300);
  activity.terminate();
  await until(() => told.includes("onGone"), "word of it");
  open.close();
  assert.deepEqual(told, ["gone", "onGone", "released"]);
  const sent = mock.calls.get("heartbeat");
  open.tell(Buffer.from("late"));
  open.beatSoon();
  await new Promise((resolve) => setTimeout(resolve, 3 * GAP_MS));
  assert.deepEqual([mock.calls.get("heartbeat"), told.length], [sent, 3]);
});

test("the time of an attempt ends with it; one that is being answered hears it from the answer", async (t) => {
  const late = await taken(t, 0, { deadline_ms: Date.now() + 50 });
  await until(() => late.told.includes("onGone"), "word of it");
  const answering = await taken(t, 300, { deadline_ms: Date.now() + 50 });
  answering.open.state = "answering";
  answering.activity.terminate();
  await until(() => answering.told.filter((word) => word === "gone").length > 1, "heartbeats");
  assert.ok(!answering.told.includes("onGone"));
});
