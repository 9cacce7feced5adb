import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createMemoryCodeQ, type Message } from "@sous/codeq";
import { type Invocation, PlatformError, TOPICS } from "@sous/contract";
import { createSqliteStore, type TerminalRecord } from "@sous/store";
import { createDestinationSender } from "../activations/destination-sender.ts";
import type { InvocationReply } from "../activations/invocation-reply.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import { LiveRegistry } from "../activations/live-registry.ts";
import { sampleInvocation } from "../activations/testing/sample-invocation.ts";
import { createExpiry } from "./expiry.ts";
import { createRecordWriter } from "./record-writer.ts";
import { createUnwritten } from "./unwritten.ts";
import { unrun } from "./unrun.ts";

const TENANT = "t_default";

/** Work that has a destination and waited for too long. */
function expiredMessage(fields: Partial<Invocation> = {}): Message<Invocation> {
  const nowMs = Date.now();
  const body = sampleInvocation({
    enqueued_at_ms: nowMs - 1000,
    expires_at_ms: nowMs - 1,
    destinations: { on_failure: { topic: "failed" } },
    ...fields,
  });
  const { activation_id: id, enqueued_at_ms, expires_at_ms } = body;
  const times = { enqueued_at_ms, due_at_ms: 0, expires_at_ms };
  return { id, topic: TOPICS.invoke, tenant: TENANT, lane: "default/f", body, attempt: 1, ...times };
}

/** What an invoker does on a queue in a server, with a store that can be away. */
async function open() {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await createSqliteStore({ path: ":memory:" }));
  const queue = { clock: Date.now, journal: store.journal };
  const codeq = stack.use(await createMemoryCodeQ<Invocation, InvocationReply>(queue));
  // As a queue in a server: the work is there first.
  const far: Pick<typeof codeq, "publish"> = {
    async publish(message, { together, ...rest }) {
      await codeq.publish(message, rest);
      await together?.();
    },
  };
  const live = new LiveRegistry();
  const unwritten = createUnwritten({ endsMax: 100, onRoom: () => {} });
  const state = { isAway: false, writes: 0 };
  const activations = {
    ...store.activations,
    finish(record: TerminalRecord): Promise<boolean> {
      state.writes++;
      if (state.isAway) return Promise.reject(new PlatformError("CS_STORE_UNAVAILABLE", "it is away"));
      return store.activations.finish(record);
    },
  };
  const records = stack.use(
    createRecordWriter({
      store: { activations, logs: store.logs },
      live,
      unwritten,
      setTimer: (run) => {
        const timer = setTimeout(run, 10);
        return () => clearTimeout(timer);
      },
      heldMax: 100,
      isOneTransaction: false,
      onLost: () => assert.fail("a record was given up"),
    }),
  );
  const destinations = stack.use(
    createDestinationSender({
      codeq: { ...codeq, ...far },
      now: Date.now,
      onFault: (error) => assert.fail(String(error)),
    }),
  );
  const expire = createExpiry({
    codeq: { reply: () => false },
    store,
    live,
    fleet: { tier: "isolate" },
    destinations,
    now: Date.now,
    records,
    unwritten,
  });
  const owned = stack.move();
  return {
    store,
    state,
    expire,
    told: async () => (await codeq.depth(TOPICS.deliver)).reduce((sum, { ready }) => sum + ready, 0),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test("what expired is let go of when its end is kept and told, once, however often it is told of", async () => {
  await using world = await open();
  const message = expiredMessage();
  world.state.isAway = true;
  let isOver = false;
  const first = world.expire(message).then(() => (isOver = true));
  const again = world.expire(message);
  await sleep(100);
  assert.equal(isOver, false);
  assert.equal(await world.told(), 0);
  const triesWhileAway = world.state.writes;
  assert.ok(triesWhileAway > 1, "it is tried again");
  world.state.isAway = false;
  await Promise.all([first, again]);
  const record = await world.store.activations.get(TENANT, message.id);
  assert.deepEqual([record?.status, record?.error?.type], ["error", "Expired"]);
  assert.equal(world.state.writes, triesWhileAway + 1, "one write for both");
  assert.equal(await world.told(), 1);
});

test("asynchronous work that expired is to be a dead letter, unless somebody else decides about another attempt", async () => {
  await using world = await open();
  const reason = "attempt 1: Expired: the work waited in the queue for too long";
  assert.equal(await world.expire(expiredMessage()), reason);
  assert.equal(await world.expire(expiredMessage({ source_attempt: "last" })), reason);
  assert.equal(await world.expire(expiredMessage({ source_attempt: "more" })), undefined);
  assert.equal(await world.expire(expiredMessage({ mode: "sync" })), undefined);
  const trigger = { type: "cadence", source: {} } as const;
  assert.equal(await world.expire(expiredMessage({ trigger })), undefined);
});

test("work that had ended well is no dead letter, although its message expires", async () => {
  await using world = await open();
  const message = expiredMessage();
  const { error: _none, ...nothing } = unrun({ type: "Expired", message: "" });
  const ended = new LiveActivation(message.body, 1, "isolate").terminal(
    { ...nothing, status: "success" },
    Date.now(),
  );
  assert.ok(await world.store.activations.finish(ended));
  assert.equal(await world.expire(message), undefined);
});

test("an end that somebody wrote and did not come to tell is told", async () => {
  await using world = await open();
  const message = expiredMessage();
  const { body } = message;
  const ended = new LiveActivation(body, 1, "isolate").terminal(
    unrun({ type: "Expired", message: "by another process" }),
    Date.now(),
  );
  assert.ok(await world.store.activations.finish(ended));
  await world.expire(message);
  assert.equal(await world.told(), 1);
  assert.equal((await world.store.activations.get(TENANT, message.id))?.error?.message, "by another process");
});
