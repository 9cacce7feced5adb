import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { withRedis } from "@sous/store/testing";
import type { Delivery } from "../codeq.ts";
import { createRedisCodeQ } from "./create-redis-codeq.ts";

withRedis({}, (server) => {
  test("what is said after the queue was closed is refused, and is no fault to report", async () => {
    const reports: unknown[] = [];
    const queue = await createRedisCodeQ<number, string>({
      url: server().url,
      clock: Date.now,
      onError: (error) => reports.push(error),
    });
    const { promise: delivered, resolve } = Promise.withResolvers<Delivery<number>>();
    await queue.consume({
      topic: "work",
      leaseMs: 10_000,
      capacity: () => 1,
      accepts: () => true,
      deliver: resolve,
      onExpired: () => {},
    });
    await queue.publish(
      {
        id: "m1",
        topic: "work",
        tenant: "t_default",
        lane: "f",
        body: 1,
        attempt: 1,
        enqueued_at_ms: Date.now(),
        due_at_ms: 0,
        expires_at_ms: Date.now() + 60_000,
      },
      { durable: true, depthMax: 10 },
    );
    const delivery = await delivered;
    await queue[Symbol.asyncDispose]();
    queue.setWeight("t_default", 2);
    assert.equal(queue.reply("gateway", "r1", "late"), true);
    await assert.rejects(delivery.ack(), { code: "CS_CODEQ_PUBLISH_FAILED" });
    await sleep(50);
    assert.deepEqual(reports, []);
  });
});
