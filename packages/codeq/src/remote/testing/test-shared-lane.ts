import assert from "node:assert/strict";
import { test } from "node:test";
import { type ContractCodeQ, eventually, message, unique } from "../../contract/harness.ts";

const MESSAGES = 300;
/** Published one after another; what follows comes at once. */
const ONE_BY_ONE = 100;
const durable = { depthMax: 1000, durable: true };

/** Two invokers may begin neighbours at the same moment, and one may be done before a message that went back is there. */
const OVERTAKEN_MAX = 2;

/** A function with one place at each of two invokers: what they refuse meanwhile must not let others pass it. */
export function testSharedLane(open: () => Promise<ContractCodeQ>): void {
  test("two invokers that take one of a lane at a time begin its work in order, but for neighbours", async () => {
    await using gateway = await open();
    await using first = await open();
    await using second = await open();
    const topic = unique("topic");
    const begun: number[] = [];
    for (const queue of [first, second]) await startOneAtATime(queue, topic, begun);
    const numbers = Array.from({ length: MESSAGES }, (_, at) => at);
    for (const at of numbers.slice(0, ONE_BY_ONE)) await gateway.publish(message(topic, String(at)), durable);
    const rest = numbers.slice(ONE_BY_ONE).map((at) => gateway.publish(message(topic, String(at)), durable));
    await Promise.all(rest);
    await eventually("all is done", async () => (await gateway.depth(topic)).length === 0);
    let newest = 0;
    for (const number of begun) {
      assert.ok(number >= newest - OVERTAKEN_MAX, `${number} after ${newest}: ${begun.join(" ")}`);
      newest = Math.max(newest, number);
    }
    const sorted = begun.toSorted((a, b) => a - b);
    assert.deepEqual(sorted, numbers);
  });
}

async function startOneAtATime(queue: ContractCodeQ, topic: string, begun: number[]): Promise<void> {
  let isBusy = false;
  const subscription = await queue.consume({
    topic,
    leaseMs: 60_000,
    slowStart: 1,
    capacity: () => 100,
    accepts: () => !isBusy,
    deliver: (delivery) => {
      isBusy = true;
      begun.push(Number(delivery.message.body.text));
      setTimeout(() => {
        isBusy = false;
        subscription.wake(delivery.message);
        // The record of an end is written before the message is acknowledged.
        setTimeout(() => void delivery.ack(), 2);
      }, 1);
    },
    onExpired: () => {},
  });
}
