import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { missingRedis, type RedisServer, startRedis } from "@sous/store/testing";
import { until } from "../support/api.ts";
import { skipUnlessRequired } from "../support/scratch.ts";
import { assertLinked, type EventWorld, SEEN_REF as ref } from "./event-world.ts";

/** What is done with the entries of a stream in somebody's Redis. */
export function describeRedisStreams(world: () => EventWorld): void {
  const missing = missingRedis();
  if (missing !== undefined) {
    test("streams of Redis", (context) => skipUnlessRequired(context, missing));
    return;
  }
  describe("streams of Redis", { concurrency: 1 }, () => {
    let redis: RedisServer;
    let client: Redis;
    before(async () => {
      redis = await startRedis({ durable: true });
      client = new Redis({ port: redis.port, protocol: 2 });
      client.on("error", () => {});
    });
    after(async () => {
      client.disconnect();
      await redis[Symbol.asyncDispose]();
    });

    const add = async (stream: string, numbers: number[], more: string[] = []): Promise<void> => {
      for (const n of numbers) await client.xadd(stream, "*", "n", String(n), ...more);
    };
    const numbersOf = (seen: { body: unknown }[]): number[] =>
      seen.map(({ body }) => Number((body as { n: string }).n));
    const pending = async (stream: string, group: string): Promise<number> =>
      ((await client.xpending(stream, group)) as [number])[0];

    test("entries of a stream run, and are pending no more", async () => {
      const { api, events } = world();
      await add("orders", [1, 2, 3]);
      const part = { url: redis.url, stream: "orders" };
      await events.create({
        name: "entries",
        type: "redis_stream",
        ref,
        redis_stream: part,
        start_position: "trim_horizon",
      });
      await events.seen("entries", 3);
      await add("orders", [4]);
      const seen = await events.seen("entries", 4);
      assert.deepEqual(numbersOf(seen), [1, 2, 3, 4]);
      assert.equal(seen[0]?.eventSource, "cs:redis_stream");
      const message = String(seen[0]?.messageId);
      await assertLinked(api, seen[0], { source: "entries", type: "redis_stream", message });
      await until(async () => (await pending("orders", "sous-default-entries")) === 0, "nothing is pending");
    });

    test("a new source begins with what comes after it was made, unless told otherwise", async () => {
      const { events } = world();
      await add("fresh", [1]);
      await new Promise((resolve) => setTimeout(resolve, 5));
      await events.create({
        name: "fresh",
        type: "redis_stream",
        ref,
        redis_stream: { url: redis.url, stream: "fresh" },
      });
      await add("fresh", [2]);
      assert.deepEqual(numbersOf(await events.seen("fresh", 1)), [2]);
    });

    test("what a dead consumer of the group left pending is taken over", async () => {
      const { events } = world();
      await add("shared", [1, 2]);
      await client.xgroup("CREATE", "shared", "workers", "0");
      await client.xreadgroup("GROUP", "workers", "gone", "COUNT", 2, "STREAMS", "shared", ">");
      const ids = ((await client.xpending("shared", "workers", "-", "+", 10)) as [string][]).map(
        ([id]) => id,
      );
      // As if it had been so for two minutes.
      await client.call("xclaim", "shared", "workers", "gone", 0, ...ids, "IDLE", 120_000, "JUSTID");
      const part = { url: redis.url, stream: "shared", group: "workers" };
      await events.create({ name: "shared", type: "redis_stream", ref, redis_stream: part });
      assert.deepEqual(numbersOf(await events.seen("shared", 2)), [1, 2]);
    });

    test("a server that goes away and comes back is read again", async () => {
      const { events } = world();
      const part = { url: redis.url, stream: "away" };
      await events.create({
        name: "away-stream",
        type: "redis_stream",
        ref,
        redis_stream: part,
        start_position: "trim_horizon",
      });
      await add("away", [1]);
      await events.seen("away-stream", 1);
      await redis.kill();
      await until(async () => (await events.status("away-stream")).state === "failing", "it says so", 30_000);
      await redis.restart();
      await until(async () => client.status === "ready", "the test's own client is back");
      await add("away", [2]);
      assert.deepEqual(numbersOf(await events.seen("away-stream", 2, 60_000)), [1, 2]);
    });

    test("an address that is not public is refused where the operator has not opened it", async () => {
      const { events } = world();
      const part = { url: "redis://10.1.2.3:6379", stream: "x" };
      await events.create({ name: "inside-stream", type: "redis_stream", ref, redis_stream: part });
      await until(async () => (await events.status("inside-stream")).state === "failing", "it is refused");
      assert.match((await events.status("inside-stream")).last_error?.message ?? "", /not a public address/);
    });
  });
}
