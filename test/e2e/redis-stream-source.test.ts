import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { missingRedis, type RedisServer, startRedis } from "@sous/store/testing";
import { createApi, until } from "../support/api.ts";
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
    let events: EventApi;

    const start = (): Promise<TestServer> =>
      startServer({ settings: { data: data.path, "egress.private_allow": ["127.0.0.0/8"] } });

    before(async () => {
      redis = await startRedis({ durable: true });
      client = new Redis({ port: redis.port, protocol: 2 });
      client.on("error", () => {});
      server = await start();
      events = createEventApi(createApi(server.url));
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
      events = createEventApi(createApi(server.url), true);
      const seen = await events.seen("killed", 20, 60_000);
      assert.deepEqual(
        numbersOf(seen).toSorted((a, b) => a - b),
        Array.from({ length: 20 }, (_, n) => n),
      );
      await until(async () => (await pending("killed", "sous-default-killed")) === 0, "nothing is pending");
    });
  });
}
