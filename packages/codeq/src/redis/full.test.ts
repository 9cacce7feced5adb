import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { withRedis } from "@sous/store/testing";
import type { Message } from "../codeq.ts";
import { createRedisCodeQ } from "./create-redis-codeq.ts";

const MESSAGES = 40;
const OPTIONS = { durable: true, depthMax: 1000 };

const messageOf = (n: number): Message<number> => ({
  id: `m${n}`,
  topic: "work",
  tenant: "t_default",
  lane: "f",
  body: n,
  attempt: 1,
  enqueued_at_ms: Date.now(),
  due_at_ms: 0,
  expires_at_ms: Date.now() + 60_000,
});

withRedis({}, (server) => {
  test("a server without memory takes nothing more, and what waits in it goes all the same", async () => {
    await using queue = await createRedisCodeQ<number, string>({ url: server().url, clock: Date.now });
    await using replies = await queue.openReplies();
    for (let n = 0; n < MESSAGES; n++) await queue.publish(messageOf(n), OPTIONS);
    await server().configure("maxmemory", "1mb");
    await assert.rejects(queue.publish(messageOf(MESSAGES), OPTIONS), { code: "CS_CODEQ_PUBLISH_FAILED" });
    assert.ok(await queue.cancel("m0"), "what waits can be taken back");

    const { promise: answered, resolve: answer } = Promise.withResolvers<string>();
    const address = replies.expect("r1", answer);
    const seen: number[] = [];
    const { promise: done, resolve } = Promise.withResolvers<void>();
    await queue.consume({
      topic: "work",
      leaseMs: 10_000,
      capacity: () => 4,
      accepts: () => true,
      deliver(delivery) {
        seen.push(delivery.message.body);
        void (delivery.message.body === 1 ? delivery.deadLetter("no good") : delivery.ack());
        if (seen.length === MESSAGES - 1) resolve();
      },
      onExpired: () => {},
    });
    await done;
    assert.deepEqual(
      seen,
      Array.from({ length: MESSAGES - 1 }, (_, n) => n + 1),
    );
    queue.reply(address, "r1", "heard");
    assert.equal(await answered, "heard");
    while ((await queue.depth("work")).length > 0) await sleep(10);
    assert.equal(await queue.deadCount("work"), 1);

    await server().configure("maxmemory", "0");
    await queue.publish(messageOf(MESSAGES), OPTIONS);
  });
});
