import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { createMemoryCodeQ } from "@sous/codeq";
import { type EventSourceRecord, PlatformError } from "@sous/contract";
import { createSqliteStore } from "@sous/store";
import { sourceTopic } from "../events/event-resources.ts";
import type { InboxBody } from "../events/inbox.ts";
import { userTopic, type UserTopicBody } from "../events/user-topic.ts";
import { createLocalLeases, type PartitionLeases } from "./partition-leases.ts";
import { sleep } from "./sleep.ts";
import { createTopicRouter, type TopicRouterOptions } from "./topic-router.ts";

const TOPIC = userTopic("t_default", "default", "orders");

const sourceOf = (name: string, topic = "orders"): EventSourceRecord => ({
  tenant: "t_default",
  namespace: "default",
  name,
  uid: name,
  type: "codeq",
  codeq: { topic },
  ref: { function: "work" },
  batch_size: 10,
  batch_window_ms: 0,
  filters: [],
  parallelism: 1,
  bisect_on_error: true,
  retry: { max_attempts: 3, backoff_ms: 1, backoff_max_ms: 2 },
  max_record_age_ms: 60_000,
  start_position: "latest",
  enabled: true,
  created_at_ms: 0,
  updated_at_ms: 0,
});

async function openQueue() {
  await using stack = new AsyncDisposableStack();
  const { journal } = stack.use(await createSqliteStore({ path: ":memory:" }));
  const codeq = stack.use(
    await createMemoryCodeQ<UserTopicBody | InboxBody, unknown>({ clock: Date.now, journal }),
  );
  const owned = stack.move();
  return { codeq, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

interface OpenOptions extends Partial<TopicRouterOptions> {
  /** @returns why an inbox takes nothing now */
  refuse?: (topic: string) => PlatformError | undefined;
}

/** A router on a real queue, with what reached each inbox. */
async function open({ refuse, ...more }: OpenOptions = {}) {
  const queue = await openQueue();
  const { codeq } = queue;
  const got = new Map<string, string[]>();
  const faults: string[] = [];
  const router = createTopicRouter({
    codeq: codeq as TopicRouterOptions["codeq"],
    inboxes: {
      publish: async (message, options) => {
        const refused = refuse?.(message.topic);
        if (refused !== undefined) throw refused;
        await codeq.publish(message, options);
      },
    },
    leases: createLocalLeases(),
    looked: async () => true,
    clock: Date.now,
    sleep,
    onFault: (error) => void faults.push(String(error)),
    ...more,
  });
  const listen = (source: EventSourceRecord): Promise<unknown> =>
    codeq.consume({
      topic: sourceTopic(source),
      leaseMs: 60_000,
      capacity: () => 1,
      accepts: () => true,
      deliver(delivery) {
        const { id } = delivery.message.body as InboxBody;
        got.set(source.name, [...(got.get(source.name) ?? []), id]);
        void delivery.ack();
      },
      onExpired: () => {},
    });
  return {
    codeq,
    router,
    got,
    faults,
    listen,
    async publish(...ids: string[]): Promise<void> {
      for (const id of ids) {
        const times = { enqueued_at_ms: Date.now(), due_at_ms: 0, expires_at_ms: Date.now() + 60_000 };
        const body = { payload_json: "{}", depth: 0 };
        const message = { id, topic: TOPIC, tenant: "t_default", lane: "default/orders", body, attempt: 1 };
        await codeq.publish({ ...message, ...times }, { depthMax: 1000, durable: true });
      }
    },
    async waiting(topic: string): Promise<number> {
      const depths = await codeq.depth(topic);
      return depths.reduce((sum, { ready, delayed }) => sum + ready + delayed, 0);
    },
    async [Symbol.asyncDispose]() {
      await router[Symbol.asyncDispose]();
      await queue[Symbol.asyncDispose]();
    },
  };
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = Date.now() + 20_000; !(await condition());) {
    assert.ok(Date.now() < end, what);
    await pause(2);
  }
}

test("every source of a topic gets every message, in order, once", async () => {
  await using world = await open();
  const sources = ["a", "b"].map((name) => sourceOf(name));
  for (const source of sources) await world.listen(source);
  await world.publish("m1", "m2");
  world.router.update([...sources, sourceOf("else", "else")]);
  await world.publish("m3");
  for (const { name } of sources) {
    await until(() => world.got.get(name)?.length === 3, "three messages");
    assert.deepEqual(world.got.get(name), ["m1", "m2", "m3"]);
  }
  assert.equal(world.got.has("else"), false);
  assert.equal(await world.waiting(TOPIC), 0);
  assert.deepEqual(world.faults, []);
});

test("a source that was made before a message was published gets it, though the router had not heard of it", async () => {
  const [known, fresh] = [sourceOf("known"), sourceOf("fresh")];
  const looks: (() => void)[] = [];
  await using world = await open({
    looked: () => new Promise((resolve) => looks.push(() => resolve(true))),
  });
  await world.listen(known);
  await world.listen(fresh);
  world.router.update([known]);
  await world.publish("m1");
  await until(() => looks.length === 1, "a look");
  assert.equal(world.got.size, 0, "nothing is forwarded by what was known before");
  world.router.update([known, fresh]);
  looks[0]?.();
  await until(() => world.got.size === 2, "both");
  assert.deepEqual([...world.got.values()], [["m1"], ["m1"]]);
});

test("while sources cannot be looked for, or an inbox fails, messages wait and stay in order", async () => {
  let looks = 0;
  let failures = 2;
  const source = sourceOf("a");
  await using world = await open({
    looked: async () => ++looks > 4,
    sleep: (_, signal) => sleep(5, signal),
    refuse: () => (failures-- > 0 ? new PlatformError("CS_CODEQ_PUBLISH_FAILED", "away") : undefined),
  });
  await world.listen(source);
  world.router.update([source]);
  await world.publish("m1", "m2", "m3");
  await until(() => world.got.get("a")?.length === 3, "three messages");
  assert.deepEqual(world.got.get("a"), ["m1", "m2", "m3"]);
  assert.equal(world.faults.length, 2, world.faults.join());
});

test("an inbox that is full holds up no other: its messages wait in the topic for it alone", async () => {
  let isFull = true;
  const [full, free] = [sourceOf("full"), sourceOf("free")];
  await using world = await open({
    refuse: (topic) =>
      isFull && topic === sourceTopic(full) ? new PlatformError("CS_QUEUE_FULL", "full") : undefined,
  });
  await world.listen(full);
  await world.listen(free);
  world.router.update([full, free]);
  await world.publish("m1", "m2");
  await until(() => world.got.get("free")?.length === 2, "the other has both");
  assert.equal(world.got.has("full"), false);
  isFull = false;
  await until(() => world.got.get("full")?.length === 2, "then the full one has them too");
  assert.deepEqual(world.got.get("full")?.toSorted(), ["m1", "m2"]);
  assert.deepEqual(world.got.get("free"), ["m1", "m2"], "and the other nothing twice");
});

test("when its time as the reader is over what it has taken goes back to the topic, unforwarded", async () => {
  const over = new AbortController();
  let isGivenBack = false;
  const leases: Pick<PartitionLeases, "take"> = {
    take: async () => ({
      fence: undefined,
      lost: over.signal,
      [Symbol.asyncDispose]: async () => void (isGivenBack = true),
    }),
  };
  const source = sourceOf("a");
  await using world = await open({ leases, looked: async () => false });
  await world.listen(source);
  world.router.update([source]);
  await world.publish("m1", "m2");
  await pause(20);
  over.abort();
  await until(async () => isGivenBack && (await world.waiting(TOPIC)) === 2, "both are back");
  assert.equal(world.got.size, 0);
});

test("a topic whose last source is gone is read no more, and is read again for the next", async () => {
  await using world = await open();
  const source = sourceOf("a");
  await world.listen(source);
  world.router.update([source]);
  await world.publish("m1");
  await until(() => world.got.get("a")?.length === 1, "the first");
  world.router.update([]);
  await pause(20);
  await world.publish("m2");
  await pause(50);
  assert.equal(await world.waiting(TOPIC), 1);
  world.router.update([source]);
  await until(() => world.got.get("a")?.length === 2, "the second");
});
