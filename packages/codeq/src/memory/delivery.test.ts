import assert from "node:assert/strict";
import test from "node:test";
import type { PlatformError } from "@sous/contract";
import type { CodeQ, Consumer, Delivery, Message } from "../codeq.ts";
import { createVirtualTime } from "../contract/virtual-time.ts";
import { createMemoryCodeQ, type MemoryCodeQOptions } from "./create-memory-codeq.ts";

const TOPIC = "cs.invoke";
const volatile = { depthMax: 1_000_000, durable: false };

function message(id: string, fields: Partial<Message<string>> = {}): Message<string> {
  const expires_at_ms = Number.MAX_SAFE_INTEGER;
  const base = { id, topic: TOPIC, tenant: "t_default", lane: "default/hello", body: id, attempt: 1 };
  return { ...base, enqueued_at_ms: 0, due_at_ms: 0, expires_at_ms, ...fields };
}

function consumer(fields: Partial<Consumer<string>> & Pick<Consumer<string>, "deliver">): Consumer<string> {
  const rest = { topic: TOPIC, leaseMs: 30_000, capacity: () => 1, accepts: () => true, onExpired: () => {} };
  return { ...rest, ...fields };
}

const open = (options: Partial<MemoryCodeQOptions<string>> = {}): Promise<CodeQ<string, string>> =>
  createMemoryCodeQ<string, string>({ clock: Date.now, ...options });

test("a publish is delivered within its call when somebody takes it", async () => {
  await using queue = await open();
  const got: string[] = [];
  await queue.consume(
    consumer({
      deliver(delivery) {
        got.push(delivery.message.body);
        void delivery.ack();
      },
    }),
  );
  const published = queue.publish(message("a"), volatile);
  assert.deepEqual(got, ["a"]);
  assert.equal(queue.publish(message("b"), volatile), published, "one shared promise, nothing allocated");
  assert.deepEqual(got, ["a", "b"]);
});

test("what waited is delivered after the consumer holds its subscription", async () => {
  const time = createVirtualTime();
  await using queue = await open(time);
  await queue.publish(message("a"), volatile);
  const got: string[] = [];
  const subscription = await queue.consume(
    consumer({
      deliver(delivery) {
        got.push(delivery.message.body);
        void delivery.ack();
        subscription.wake();
      },
    }),
  );
  assert.deepEqual(got, []);
  time.advance(1);
  assert.deepEqual(got, ["a"]);
});

test("the body is handed over, not copied", async () => {
  const body = { bytes: new Uint8Array(3) };
  await using queue = await createMemoryCodeQ<typeof body, string>({ clock: Date.now });
  const got: unknown[] = [];
  await queue.consume({
    topic: TOPIC,
    leaseMs: 1000,
    capacity: () => 1,
    accepts: () => true,
    deliver: (delivery) => got.push(delivery.message.body),
    onExpired: () => {},
  });
  await queue.publish({ ...message("a"), body }, volatile);
  assert.equal(got[0], body);
});

test("a hundred thousand messages that publish each other need no stack", async () => {
  await using queue = await open();
  let count = 0;
  await queue.consume(
    consumer({
      deliver(delivery) {
        count++;
        if (count < 100_000) void queue.publish(message(`m${count}`), volatile);
        void delivery.ack();
      },
    }),
  );
  await queue.publish(message("m0"), volatile);
  assert.equal(count, 100_000);
});

test("a consumer may acknowledge and wake inside deliver, and stays within its capacity", async () => {
  await using queue = await open();
  let held = 2;
  let most = 0;
  let count = 0;
  const waiting: Delivery<string>[] = [];
  const subscription = await queue.consume(
    consumer({
      capacity: () => 2 - held,
      deliver(delivery) {
        held++;
        count++;
        most = Math.max(most, held);
        waiting.push(delivery);
        if (count % 3 === 0) return;
        void waiting.shift()?.ack();
        held--;
        subscription.wake();
      },
    }),
  );
  for (let index = 0; index < 1000; index++) await queue.publish(message(`m${index}`), volatile);
  held = 0;
  subscription.wake();
  while (waiting.length > 0) {
    void waiting.shift()?.ack();
    held--;
    subscription.wake();
  }
  assert.equal(count, 1000);
  assert.equal(most, 2);
});

test("returned messages of a lane keep the order of their first starts", async () => {
  await using queue = await open();
  const held: Delivery<string>[] = [];
  let slots = 3;
  const subscription = await queue.consume(
    consumer({
      capacity: () => slots,
      deliver(delivery) {
        slots--;
        held.push(delivery);
      },
    }),
  );
  for (const id of ["a", "b", "c", "d"]) await queue.publish(message(id), volatile);
  for (const delivery of held.splice(0).toReversed()) await delivery.nack(0);
  slots = 4;
  subscription.wake();
  assert.deepEqual(
    held.map((delivery) => delivery.message.body),
    ["a", "b", "c", "d"],
  );
});

test("a consumer that throws is reported and harms nobody else", async () => {
  const errors: PlatformError[] = [];
  const time = createVirtualTime();
  await using queue = await open({ ...time, onError: (error) => errors.push(error) });
  const got: string[] = [];
  await queue.consume(
    consumer({
      leaseMs: 1000,
      capacity: () => 10,
      accepts({ body }) {
        if (body === "refuse") throw new TypeError("accepts");
        return true;
      },
      deliver({ message: { body, attempt } }) {
        if (body === "break" && attempt === 1) throw new TypeError("deliver");
        got.push(`${body} ${attempt}`);
      },
    }),
  );
  await queue.publish(message("refuse", { lane: "default/refuse" }), volatile);
  await queue.publish(message("break"), volatile);
  await queue.publish(message("good"), volatile);
  assert.deepEqual(got, ["good 1"]);
  time.advance(1300);
  assert.ok(got.includes("break 2"), "the lease brought it back");
  assert.deepEqual(
    errors.slice(0, 2).map(({ cause }) => (cause as Error).message),
    ["accepts", "deliver"],
  );
});

test("an expired message waits a while for the first consumer, then goes", async () => {
  const time = createVirtualTime();
  await using queue = await open({ ...time, expiredHoldMs: 5000 });
  const soon = { expires_at_ms: time.clock() + 1000 };
  await queue.publish(message("heard", soon), volatile);
  time.advance(3000);
  const expired: string[] = [];
  const subscription = await queue.consume(
    consumer({ deliver: () => assert.fail("too old"), onExpired: ({ id }) => void expired.push(id) }),
  );
  time.advance(1);
  assert.deepEqual(expired, ["heard"]);
  await subscription.close();
  await queue.publish(message("unheard", { expires_at_ms: time.clock() + 1000 }), volatile);
  time.advance(4000);
  assert.equal((await queue.depth(TOPIC))[0]?.ready, 1);
  time.advance(4000);
  assert.deepEqual(await queue.depth(TOPIC), []);
});

test("one timer serves all deadlines, one all leases, and closing leaves none", async () => {
  const time = createVirtualTime();
  const queue = await open(time);
  const held: Delivery<string>[] = [];
  await queue.consume(consumer({ capacity: () => 100 - held.length, deliver: (one) => held.push(one) }));
  time.advance(1);
  for (let index = 0; index < 500; index++) {
    const due_at_ms = index % 2 === 0 ? 0 : time.clock() + 1000 + index;
    await queue.publish(message(`m${index}`, { due_at_ms, expires_at_ms: time.clock() + 60_000 }), volatile);
  }
  assert.equal(held.length, 100);
  assert.equal(time.armed, 2);
  await queue[Symbol.asyncDispose]();
  assert.equal(time.armed, 0);
  for (const delivery of held) await delivery.nack(1000);
  assert.equal(time.armed, 0, "what still works after closing arms nothing");
});

test("timers rest when there is nothing to wait for", async () => {
  const time = createVirtualTime();
  await using queue = await open(time);
  await queue.consume(consumer({ deliver: (delivery) => void delivery.ack() }));
  time.advance(1);
  for (let index = 0; index < 100; index++) await queue.publish(message(`m${index}`), volatile);
  assert.ok(time.armed <= 1);
  time.advance(1000);
  assert.equal(time.armed, 0);
});

test("a lease may be prolonged and is lost at its new end", async () => {
  const time = createVirtualTime();
  await using queue = await open(time);
  const held: Delivery<string>[] = [];
  await queue.consume(
    consumer({ leaseMs: 1000, capacity: () => 5, deliver: (delivery) => held.push(delivery) }),
  );
  await queue.publish(message("a"), volatile);
  time.advance(900);
  assert.equal(await held[0]?.extend(2000), true);
  assert.equal(held[0]?.leaseUntilMs, time.clock() + 2000);
  time.advance(1900);
  assert.equal(held.length, 1);
  time.advance(400);
  assert.equal(held[1]?.message.attempt, 2);
  assert.equal(await held[0]?.extend(1000), false);
});

test("a closed queue refuses at once", async () => {
  const queue = await open();
  await queue.check();
  await queue[Symbol.asyncDispose]();
  await assert.rejects(queue.publish(message("a"), volatile), { code: "CS_CODEQ_PUBLISH_FAILED" });
  await assert.rejects(queue.check(), { code: "CS_CODEQ_PUBLISH_FAILED" });
  await assert.rejects(queue.consume(consumer({ deliver: () => {} })), { code: "CS_CODEQ_SUBSCRIBE_FAILED" });
  await assert.rejects(queue.openReplies(), { code: "CS_CODEQ_SUBSCRIBE_FAILED" });
});

test("reply tells whether somebody waited, and delivers within its call", async () => {
  await using queue = await open();
  const channel = await queue.openReplies();
  const got: string[] = [];
  const address = channel.expect("req_1", (result) => got.push(result));
  assert.equal(queue.reply(address, "req_2", "x"), false);
  assert.equal(queue.reply("memory:unknown", "req_1", "x"), false);
  assert.equal(queue.reply(address, "req_1", "yes"), true);
  assert.deepEqual(got, ["yes"]);
  assert.equal(queue.reply(address, "req_1", "x"), false);
});

test("a weight that is none is refused", async () => {
  await using queue = await open();
  for (const weight of [0, -1, Number.NaN, Infinity]) {
    assert.throws(() => queue.setWeight("t_default", weight), { code: "CS_VALIDATION_FAILED" });
  }
});

test("non-durable dead letters are bounded, the oldest go", async () => {
  await using queue = await open({ deadVolatileMax: 2 });
  await queue.consume(consumer({ deliver: (delivery) => void delivery.deadLetter("broken") }));
  for (const id of ["a", "b", "c"]) await queue.publish(message(id), volatile);
  const dead = await queue.dead(TOPIC, 10);
  assert.deepEqual(
    dead.map((letter) => letter.message.id),
    ["b", "c"],
  );
});

test("a refused lane is offered again when another message becomes its first", async () => {
  const time = createVirtualTime();
  await using queue = await open(time);
  const got: string[] = [];
  const held: Delivery<string>[] = [];
  let refused = ["b", "c"];
  await queue.consume(
    consumer({
      capacity: () => 10,
      accepts: ({ body }) => !refused.includes(body),
      deliver(delivery) {
        got.push(delivery.message.body);
        held.push(delivery);
      },
    }),
  );
  for (const id of ["a", "b", "c", "d"]) await queue.publish(message(id), volatile);
  assert.deepEqual(got, ["a"]);
  await held[0]?.nack(0);
  assert.deepEqual(got, ["a", "a"], "the returned one stands before the refused one");
  await queue.cancel("b");
  assert.deepEqual(got, ["a", "a"]);
  refused = [];
  await queue.publish(message("e"), volatile);
  assert.deepEqual(got, ["a", "a"], "the first one is still the refused one");
  await queue.cancel("c");
  assert.deepEqual(got, ["a", "a", "d", "e"]);
});

test("a lane refused while another consumer was full is offered to that one when it has room", async () => {
  const time = createVirtualTime();
  await using queue = await open(time);
  const got: string[] = [];
  let room = 0;
  await queue.consume(consumer({ accepts: () => false, deliver: () => assert.fail("refused") }));
  const subscription = await queue.consume(
    consumer({
      capacity: () => room,
      deliver(delivery) {
        room--;
        got.push(delivery.message.body);
      },
    }),
  );
  await queue.publish(message("a"), volatile);
  assert.deepEqual(got, []);
  room = 1;
  subscription.wake({ tenant: "t_default", lane: "default/another" });
  assert.deepEqual(got, ["a"]);
});

test("messages of a lane that fall due together keep the order of publishing", async () => {
  const time = createVirtualTime();
  await using queue = await open(time);
  const got: string[] = [];
  await queue.consume(
    consumer({
      deliver(delivery) {
        got.push(delivery.message.body);
        void delivery.ack();
      },
    }),
  );
  const sent = Array.from({ length: 50 }, (_, index) => `m${index}`);
  for (const id of sent) await queue.publish(message(id, { due_at_ms: time.clock() + 1000 }), volatile);
  time.advance(1000);
  assert.deepEqual(got, sent);
});
