import assert from "node:assert/strict";
import { test } from "node:test";
import { type ContractCodeQ, eventually, message, unique } from "../../contract/harness.ts";

const NUMBERS = Array.from({ length: 200 }, (_, at) => at);
const durable = { depthMax: 1000, durable: true };

/** What an invoker takes of all lanes: as much may be on its way to it before it has refused any. */
export const SHARED_LANE_CAPACITY = 20;

/**
 * A function with one place at each of two invokers: what they refuse meanwhile must not let others pass it.
 * @param passedMax by how many places one may be passed: on a busy machine what was refused is not back at once
 */
export function testSharedLane(open: () => Promise<ContractCodeQ>, passedMax: number): void {
  for (const [how, atOnce] of [
    ["published one by one", 1],
    ["published at once", NUMBERS.length],
  ] as const) {
    test(`two invokers that take one of a lane at a time begin its work in order, but for a few: ${how}`, async () => {
      await using gateway = await open();
      await using first = await open();
      await using second = await open();
      const topic = unique("topic");
      const begun: number[] = [];
      for (const queue of [first, second]) await startOneAtATime(queue, topic, begun);
      for (let from = 0; from < NUMBERS.length; from += atOnce) {
        const batch = NUMBERS.slice(from, from + atOnce);
        await Promise.all(batch.map((at) => gateway.publish(message(topic, String(at)), durable)));
      }
      await eventually("all is done", async () => (await gateway.depth(topic)).length === 0);
      let newest = 0;
      for (const number of begun) {
        assert.ok(number >= newest - passedMax, `${number} after ${newest}: ${begun.join(" ")}`);
        newest = Math.max(newest, number);
      }
      const sorted = begun.toSorted((a, b) => a - b);
      assert.deepEqual(sorted, NUMBERS);
    });
  }
}

async function startOneAtATime(queue: ContractCodeQ, topic: string, begun: number[]): Promise<void> {
  let isBusy = false;
  const subscription = await queue.consume({
    topic,
    leaseMs: 60_000,
    slowStart: 1,
    capacity: () => SHARED_LANE_CAPACITY,
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
