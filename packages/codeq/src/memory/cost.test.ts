import assert from "node:assert/strict";
import test from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Message, Subscription } from "../codeq.ts";
import { createVirtualTime } from "../contract/virtual-time.ts";
import { createMemoryCodeQ } from "./create-memory-codeq.ts";

const TOPIC = "cs.invoke";
const LANES = 10_000;
const volatile = { depthMax: 1000, durable: false };

const message = (id: string, tenant: number, lane: number): Message<null> => ({
  id,
  topic: TOPIC,
  tenant: `t_tenant${tenant}`,
  lane: `default/f${lane}`,
  body: null,
  attempt: 1,
  enqueued_at_ms: 0,
  due_at_ms: 0,
  expires_at_ms: Number.MAX_SAFE_INTEGER,
});

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** A queue with ten thousand lanes whose function is busy, and a count of the questions it asked. */
async function saturated() {
  const time = createVirtualTime();
  const queue = await createMemoryCodeQ<null, null>(time);
  const free = new Set<string>();
  const delivered: Message<null>[] = [];
  let asked = 0;
  const subscription: Subscription = await queue.consume({
    topic: TOPIC,
    leaseMs: 3_600_000,
    capacity: () => 100_000,
    accepts({ lane }) {
      asked++;
      return free.has(lane);
    },
    deliver(delivery) {
      free.delete(delivery.message.lane);
      delivered.push(delivery.message);
    },
    onExpired: () => {},
  });
  for (let lane = 0; lane < LANES; lane++) {
    for (let count = 0; count < 2; count++) {
      await queue.publish(message(`m${lane}-${count}`, lane % 20, lane), volatile);
    }
  }
  const takeAsked = (): number => {
    const count = asked;
    asked = 0;
    return count;
  };
  return { time, queue, free, delivered, subscription, takeAsked };
}

test("a refused lane is asked once, however much is published behind it", async () => {
  const { queue, takeAsked } = await saturated();
  assert.equal(takeAsked(), LANES);
  await queue[Symbol.asyncDispose]();
});

test("a wake-up that names its lane asks for that lane only", async () => {
  const { queue, free, delivered, subscription, takeAsked } = await saturated();
  takeAsked();
  for (let lane = 0; lane < LANES; lane += 10) {
    free.add(`default/f${lane}`);
    subscription.wake({ tenant: `t_tenant${lane % 20}`, lane: `default/f${lane}` });
  }
  assert.equal(delivered.length, LANES / 10);
  // Its first message is taken, its second is refused.
  assert.equal(takeAsked(), (2 * LANES) / 10);
  await queue[Symbol.asyncDispose]();
});

test("a wake-up without a lane asks for all of them in bounded steps", async () => {
  const { time, queue, free, delivered, subscription, takeAsked } = await saturated();
  takeAsked();
  free.add(`default/f${LANES - 1}`);
  subscription.wake();
  const atOnce = takeAsked();
  assert.ok(atOnce <= 200, `${atOnce} questions inside the call`);
  time.advance(1000);
  assert.equal(delivered.length, 1);
  const later = takeAsked();
  assert.ok(atOnce + later <= LANES + 1, `${atOnce + later} questions in all`);
  await queue[Symbol.asyncDispose]();
});

test("lanes woken again and again in small steps all get their turn", async () => {
  const { queue, free, delivered, subscription } = await saturated();
  for (let lane = 0; lane < LANES; lane += 100) free.add(`default/f${lane}`);
  for (let wakes = 0; wakes < LANES / 50; wakes++) subscription.wake();
  assert.equal(delivered.length, LANES / 100);
  await queue[Symbol.asyncDispose]();
});

test("a new message of a free lane is not held up by refused ones", async () => {
  const { queue, free, delivered, takeAsked } = await saturated();
  takeAsked();
  free.add("default/new");
  await queue.publish({ ...message("new", 3, 0), lane: "default/new" }, volatile);
  assert.equal(delivered.length, 1);
  assert.equal(takeAsked(), 1);
  await queue[Symbol.asyncDispose]();
});

test("lanes and topics that are empty are forgotten", async () => {
  const time = createVirtualTime();
  await using queue = await createMemoryCodeQ<null, null>(time);
  const heapAfter = async (rounds: number, from: number): Promise<number> => {
    for (let index = from; index < from + rounds; index++) {
      const topic = `t_user0001/jobs.${index}`;
      const sent = { ...message(`m${index}`, index, index), topic, body: null };
      await queue.publish(sent, volatile);
      await queue.cancel(sent.id);
    }
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const before = await heapAfter(20_000, 0);
  const after = await heapAfter(40_000, 20_000);
  // Kept, a topic with its lane takes about 2 kB: 80 MB more.
  assert.ok(after - before < 20_000_000, `${after - before} bytes more`);
});
