import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { createMemoryCodeQ } from "@sous/codeq";
import { type ActivationRecord, type Invocation, PlatformError } from "@sous/contract";
import { createSqliteStore } from "@sous/store";
import type { InvocationReply } from "../activations/invocation-reply.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import { sampleInvocation } from "../activations/testing/sample-invocation.ts";
import type { ActivityAnswer } from "./activity-answer.ts";
import type { CadenceMeter, TaskOutcome } from "./cadence-meter.ts";
import { createCadenceServer } from "./grpc/cadence-server.ts";
import { createTaskBook } from "./task-book.ts";
import { createTaskTracker } from "./task-tracker.ts";
import type { ScheduledActivity } from "./testing/mock-activity.ts";
import { startMockCadence } from "./testing/mock-cadence.ts";
import { until } from "./testing/poller-world.ts";
import { sampleEntry } from "./testing/sample-entry.ts";

const QUEUE = { domain: "shop", name: "orders", identity: "w1" };
const COMPLETE: ActivityAnswer = { type: "complete", result: Buffer.from("5") };

const RESULT = { statusCode: 200, headers: {}, body: "7", isBase64Encoded: false };
const reply = (fields: Partial<InvocationReply> = {}): InvocationReply => ({
  activation_id: "",
  version: 1,
  status: "success",
  duration_ms: 1,
  cold: false,
  result: RESULT,
  error: undefined,
  replayed: false,
  ...fields,
});
const record = (fields: Partial<ActivationRecord> = {}): ActivationRecord => ({
  ...new LiveActivation(sampleInvocation(), 1, "isolate").record(),
  ...fields,
});

/** A tracker between a Cadence server and a store, on a clock that a test may set forward. */
async function world(t: TestContext) {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const mock = stack.use(await startMockCadence());
  const server = stack.use(createCadenceServer({ url: mock.url, token: "", clientVersion: "1" }));
  const store = stack.use(await createSqliteStore({ path: ":memory:" }));
  const codeq = stack.use(await createMemoryCodeQ<Invocation, InvocationReply>({ clock: Date.now }));
  const state = { laterMs: 0, record: undefined as ActivationRecord | undefined };
  const outcomes: TaskOutcome[] = [];
  const cancelled: string[] = [];
  let released = 0;
  const meter: CadenceMeter = {
    polled: () => {},
    ended: (_, outcome) => void outcomes.push(outcome),
    heartbeat: () => {},
    fault: () => {},
  };
  const book = createTaskBook(store.resources);
  const tracker = stack.use(
    createTaskTracker({
      server,
      book,
      meter,
      findActivation: () => Promise.resolve(state.record),
      replies: stack.use(await codeq.openReplies()),
      cancel: (_, id) => Promise.resolve(void cancelled.push(id)),
      clock: () => Date.now() + state.laterMs,
      random: () => 0,
      heartbeatsPerSecond: 2,
    }),
  );

  /** Takes an activity as a poller does, and writes it down. */
  async function take(scheduled: Partial<ScheduledActivity> = {}) {
    const { activity, ended } = mock.schedule({ tasklist: QUEUE.name, type: "Work", ...scheduled });
    const task = await server.poll(QUEUE, new AbortController().signal);
    assert.ok(task);
    const entry = sampleEntry(QUEUE, task);
    const open = tracker.open(entry, () => released++);
    open.generation = await book.keep(entry);
    return { activity, ended, open, entry };
  }
  return { mock, tracker, book, codeq, state, outcomes, cancelled, take, released: () => released };
}

describe("an answer of a task", () => {
  test("that the server may take later is sent again as it is", async (t) => {
    const { mock, tracker, take, outcomes } = await world(t);
    for (const code of [
      "FailedPrecondition",
      "Unauthenticated",
      "PermissionDenied",
      "Unavailable",
    ] as const) {
      const { open, ended } = await take();
      mock.refuse("complete", code, 2);
      await tracker.settle(open, COMPLETE);
      assert.deepEqual(await ended, { type: "completed", result: "5" }, code);
    }
    assert.equal(mock.calls.get("fail"), undefined);
    assert.deepEqual(new Set(outcomes), new Set(["completed"]));
  });

  test("that the server does not take as it is becomes a failure that says so", async (t) => {
    const { mock, tracker, take } = await world(t);
    const { open, ended } = await take();
    mock.refuse("complete", "InvalidArgument");
    await tracker.settle(open, COMPLETE);
    const outcome = await ended;
    assert.equal(outcome.type === "failed" && outcome.reason, "respond_failed", JSON.stringify(outcome));
  });

  test("is given up when the attempt is over for the server, and out of the book", async (t) => {
    const { mock, tracker, book, take, state, outcomes, released } = await world(t);
    const { open, entry } = await take();
    mock.refuse("complete", "FailedPrecondition", 1000);
    const settled = tracker.settle(open, COMPLETE);
    state.laterMs = 10_001;
    await settled;
    assert.deepEqual([outcomes, tracker.size, released()], [["unanswered"], 0, 1]);
    await until(() => !tracker.knows(entry.activation_id), "it to be out of the book");
    for await (const kept of book.all()) assert.fail(`still in the book: ${JSON.stringify(kept)}`);
  });
});

describe("the end of an activation", () => {
  test("comes as a reply, and completes the activity", async (t) => {
    const { tracker, codeq, take, outcomes, released } = await world(t);
    const { open, ended, entry } = await take();
    const address = tracker.expect(open);
    codeq.reply(address, entry.activation_id, reply());
    assert.deepEqual(await ended, { type: "completed", result: "7" });
    await until(() => tracker.size === 0, "the task to be over");
    assert.deepEqual([outcomes, released()], [["completed"], 1]);
    assert.equal(codeq.reply(address, entry.activation_id, reply()), false, "nobody waits any more");
  });

  test("that is not on disk yet is told by its record alone", async (t) => {
    const { tracker, codeq, take, state } = await world(t);
    const { open, ended, activity, entry } = await take();
    const unrecorded = new PlatformError("CS_STORE_WRITE_FAILED", "not now");
    codeq.reply(tracker.expect(open), entry.activation_id, reply({ unrecorded }));
    assert.deepEqual([open.unwatched, open.state], [true, "open"]);
    assert.equal(await tracker.look(open), false, "no record");
    state.record = record({ status: "running" });
    assert.equal(await tracker.look(open), true);
    assert.deepEqual([open.state, activity.outcome], ["open", undefined]);
    state.record = record({ status: "success", result: RESULT });
    assert.equal(await tracker.look(open), true);
    assert.deepEqual(await ended, { type: "completed", result: "7" });
  });

  test("is hastened when nobody waits for an answer any more", async (t) => {
    const { tracker, take, outcomes, cancelled, released } = await world(t);
    const { activity, open, entry } = await take({ heartbeatMs: 1500 });
    activity.terminate();
    await until(() => tracker.size === 0, "the task to be over");
    assert.deepEqual([outcomes, cancelled, released()], [["gone"], [entry.activation_id], 1]);
    await tracker.settle(open, COMPLETE);
    assert.deepEqual(outcomes, ["gone"], "there is nothing to answer");
  });

  test("lets what a function said last be taken for a while, and no longer", async (t) => {
    const { tracker, take, state } = await world(t);
    const [first, second] = [await take(), await take()];
    const heard = () => [first, second].map(({ entry }) => tracker.hears(entry.activation_id));
    await tracker.settle(first.open, COMPLETE);
    assert.deepEqual(heard(), [true, true]);
    tracker.leave(second.open);
    assert.deepEqual(heard(), [true, false], "who finds it hears of it");
    state.laterMs = 10_001;
    await tracker.settle((await take()).open, COMPLETE);
    assert.deepEqual(heard(), [false, false]);
  });
});
