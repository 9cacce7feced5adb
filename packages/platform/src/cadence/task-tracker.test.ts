import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { createMemoryCodeQ } from "@sous/codeq";
import { activityActivationId, type ActivationRecord, type Invocation } from "@sous/contract";
import { createSqliteStore } from "@sous/store";
import type { InvocationReply } from "../activations/invocation-reply.ts";
import type { ActivityAnswer } from "./activity-answer.ts";
import type { CadenceMeter, TaskOutcome } from "./cadence-meter.ts";
import { createCadenceServer } from "./grpc/cadence-server.ts";
import { createTaskBook, type TaskEntry } from "./task-book.ts";
import { createTaskTracker } from "./task-tracker.ts";
import type { ScheduledActivity } from "./testing/mock-activity.ts";
import { startMockCadence } from "./testing/mock-cadence.ts";

const QUEUE = { domain: "shop", name: "orders", identity: "w1" };
const COMPLETE: ActivityAnswer = { type: "complete", result: Buffer.from("5") };

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
  async function take(scheduled: Partial<ScheduledActivity> = {}, fields: Partial<TaskEntry> = {}) {
    const { activity, ended } = mock.schedule({ tasklist: QUEUE.name, type: "Work", ...scheduled });
    const task = await server.poll(QUEUE, new AbortController().signal);
    assert.ok(task);
    const nowMs = Date.now();
    const entry: TaskEntry = {
      activation_id: activityActivationId(activity.workflowId),
      tenant: "t_default",
      namespace: "default",
      worker: "orders",
      domain: QUEUE.domain,
      tasklist: QUEUE.name,
      identity: QUEUE.identity,
      token: Buffer.from(task.token).toString("base64"),
      result: "body",
      deadline_ms: nowMs + task.startToCloseMs,
      heartbeat_timeout_ms: task.heartbeatTimeoutMs,
      details: "",
      taken_at_ms: nowMs,
      touched_ms: nowMs,
      ...fields,
    };
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
    while (tracker.knows(entry.activation_id)) await new Promise(setImmediate);
    for await (const kept of book.all()) assert.fail(`still in the book: ${JSON.stringify(kept)}`);
  });
});
