import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { missingRedis, type RedisServer, startRedis } from "@sous/store/testing";
import { type Api, createApi, until } from "../support/api.ts";
import { createEventApi, type EventApi } from "../support/event-api.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const missing = missingRedis();
const ref = { function: "seen", alias: "prod" };

test("streams of Redis", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  describe("streams of Redis", () => {
    const data = scratchFolder();
    let redis: RedisServer;
    let client: Redis;
    let server: TestServer;
    let api: Api;
    let events: EventApi;

    const start = (): Promise<TestServer> =>
      startServer({ settings: { data: data.path, "egress.private_allow": ["127.0.0.0/8"] } });

    before(async () => {
      redis = await startRedis({ durable: true });
      client = new Redis({ port: redis.port, protocol: 2 });
      client.on("error", () => {});
      server = await start();
      api = createApi(server.url);
      events = createEventApi(api);
      await events.deploySeen("seen");
    });
    after(async () => {
      client.disconnect();
      await server[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
      data[Symbol.dispose]();
    });

    const add = async (stream: string, numbers: number[], more: string[] = []): Promise<void> => {
      for (const n of numbers) await client.xadd(stream, "*", "n", String(n), ...more);
    };
    const numbersOf = (seen: { body: unknown }[]): number[] =>
      seen.map(({ body }) => Number((body as { n: string }).n));
    const pending = async (stream: string, group: string): Promise<number> =>
      ((await client.xpending(stream, group)) as [number])[0];

    test("entries of a stream run, and are pending no more", async () => {
      await add("orders", [1, 2, 3]);
      const part = { url: redis.url, stream: "orders" };
      await events.create({
        name: "orders",
        type: "redis_stream",
        ref,
        redis_stream: part,
        start_position: "trim_horizon",
      });
      await events.seen("orders", 3);
      await add("orders", [4]);
      const seen = await events.seen("orders", 4);
      assert.deepEqual(numbersOf(seen), [1, 2, 3, 4]);
      assert.equal(seen[0]?.eventSource, "cs:redis_stream");
      await until(async () => (await pending("orders", "sous-default-orders")) === 0, "nothing is pending");
    });

    test("a new source begins with what comes after it was made, unless told otherwise", async () => {
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

    test("after a kill in the middle what was not done is run, what was done is not run again", async () => {
      const part = { url: redis.url, stream: "killed" };
      await events.create({
        name: "killed",
        type: "redis_stream",
        ref,
        redis_stream: part,
        start_position: "trim_horizon",
        batch_size: 1,
        parallelism: 2,
      });
      await add(
        "killed",
        Array.from({ length: 20 }, (_, n) => n),
        ["waitMs", "50"],
      );
      await events.seen("killed", 4);
      await server.kill();
      server = await start();
      api = createApi(server.url);
      events = createEventApi(api, true);
      const seen = await events.seen("killed", 20, 60_000);
      assert.deepEqual(
        numbersOf(seen).toSorted((a, b) => a - b),
        Array.from({ length: 20 }, (_, n) => n),
      );
      await until(async () => (await pending("killed", "sous-default-killed")) === 0, "nothing is pending");
    });

    test("a server that goes away and comes back is read again", async () => {
      const part = { url: redis.url, stream: "away" };
      await events.create({
        name: "away",
        type: "redis_stream",
        ref,
        redis_stream: part,
        start_position: "trim_horizon",
      });
      await add("away", [1]);
      await events.seen("away", 1);
      await redis.kill();
      await until(async () => (await events.status("away")).state === "failing", "it says so", 30_000);
      await redis.restart();
      await until(async () => client.status === "ready", "the test's own client is back");
      await add("away", [2]);
      assert.deepEqual(numbersOf(await events.seen("away", 2, 60_000)), [1, 2]);
    });

    test("an address that is not public is refused where the operator has not opened it", async () => {
      const part = { url: "redis://10.1.2.3:6379", stream: "x" };
      await events.create({ name: "inside", type: "redis_stream", ref, redis_stream: part });
      await until(async () => (await events.status("inside")).state === "failing", "it is refused");
      assert.match((await events.status("inside")).last_error?.message ?? "", /not a public address/);
    });
  });
}
