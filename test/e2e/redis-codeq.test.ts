import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { missingRedis, type RedisServer, startRedis } from "@sous/store/testing";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const WORK = {
  "manifest.json": manifest({ capabilities: { kv: { prefixes: ["runs/"], ops: ["get", "set"] } } }),
  "function.js": `export default async ({ key, failUntil = 0, waitMs = 0 }, ctx) => {
    const runs = ((await cs.kv.get("runs/" + key)) ?? 0) + 1;
    await cs.kv.set("runs/" + key, runs);
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    if (ctx.attempt < failUntil) throw new Error("not yet " + ctx.attempt);
    return { runs };
  };`,
};
const RETRY = { max_attempts: 3, backoff_ms: 40, backoff_max_ms: 60 };
const missing = missingRedis();

test("the platform on a Redis queue", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  describe("a platform whose queue lies in Redis", () => {
    const data = scratchFolder();
    let redis: RedisServer;
    let server: TestServer;
    let api: Api;

    before(async () => {
      redis = await startRedis({ durable: true });
      server = await startServer({ settings: { data: data.path, codeq: redis.url } });
      api = createApi(server.url);
      await api.deploy({ name: "work", files: WORK, config: { retry: RETRY } });
    });
    after(async () => {
      await server[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
      data[Symbol.dispose]();
    });

    const send = (event: unknown, mode: string, headers: Record<string, string> = {}): Promise<Response> =>
      api.call("POST", `${api.scope()}/work:invoke`, { ref: { alias: "prod" }, mode, event }, headers);

    async function enqueue(event: unknown, headers?: Record<string, string>): Promise<string> {
      const response = await send(event, "async", headers);
      assert.equal(response.status, 202, await response.clone().text());
      return ((await response.json()) as { activation_id: string }).activation_id;
    }

    async function ended(id: string): Promise<Record<string, unknown> & { status: string }> {
      let record = await api.activation(id);
      await until(async () => {
        record = await api.activation(id);
        return record.status !== "queued" && record.status !== "running";
      }, "an end");
      return record;
    }

    const depth = async (): Promise<number> => {
      const metrics = await (await api.call("GET", "/metrics")).text();
      const counts = [...metrics.matchAll(/^cs_codeq_depth\{.*\} (\d+)$/gm)];
      return counts.reduce((sum, [, count]) => sum + Number(count), 0);
    };

    test("refuses at once while the server is away, says so, and goes on when it is back", async () => {
      const kept = await enqueue({ key: "kept", waitMs: 500 });
      await redis.kill();
      const begun = performance.now();
      for (const mode of ["sync", "async"]) {
        const response = await send({ key: "away" }, mode);
        assert.equal(response.status, 503, await response.clone().text());
        const { error } = (await response.json()) as { error: { code: string } };
        assert.equal(error.code, "CS_CODEQ_PUBLISH_FAILED");
      }
      assert.ok(performance.now() - begun < 2000, "no caller is kept waiting");
      await until(async () => (await api.call("GET", "/readyz")).status === 503, "it is not ready");
      await redis.restart();
      await until(async () => (await api.call("GET", "/readyz")).status === 200, "it is ready again");
      assert.equal((await api.invoke("work", { key: "back" })).status, "success");
      assert.equal((await ended(kept)).status, "success", "the end of what ran meanwhile was not lost");
      const record = await ended(await enqueue({ key: "later" }));
      assert.equal(record.status, "success");
      await until(async () => (await depth()) === 0, "an empty queue");
    });
  });

  test("a platform that cannot reach its queue does not start, and its message hides the password", async () => {
    using data = scratchFolder();
    const settings = { data: data.path, codeq: "redis://:hunter2@127.0.0.1:1" };
    await assert.rejects(startServer({ settings }), (error: Error) => {
      assert.match(error.message, /CS_CODEQ_PUBLISH_FAILED/);
      assert.match(error.message, /127\.0\.0\.1:1/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
  });
}
