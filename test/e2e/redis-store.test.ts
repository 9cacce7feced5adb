import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { missingRedis, type RedisServer, startRedis } from "@sous/store/testing";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const WORK = {
  "manifest.json": manifest({ capabilities: { kv: { prefixes: ["runs/"], ops: ["get", "set"] } } }),
  "function.js": `export default async ({ key, failUntil = 0 }, ctx) => {
    const runs = ((await cs.kv.get("runs/" + key)) ?? 0) + 1;
    await cs.kv.set("runs/" + key, runs);
    cs.log.info({ key, attempt: ctx.attempt });
    if (ctx.attempt < failUntil) throw new Error("not yet " + ctx.attempt);
    return { runs };
  };`,
};
const RETRY = { max_attempts: 3, backoff_ms: 40, backoff_max_ms: 60 };
const SECRETS_KEY = Buffer.alloc(32, 7).toString("base64");
const missing = missingRedis();

test("the platform on a Redis store", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  describe("a platform whose store and queue lie in one Redis", () => {
    const data = scratchFolder();
    let redis: RedisServer;
    let server: TestServer;
    let api: Api;

    const start = () =>
      startServer({
        settings: { data: data.path, store: redis.url, codeq: redis.url, secrets_key: [SECRETS_KEY] },
      });

    before(async () => {
      redis = await startRedis({ durable: true });
      server = await start();
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

    test("lists activations by function and status", async () => {
      for (let at = 0; at < 5; at++) {
        assert.equal((await api.invoke("work", { key: `sync-${at}` })).result?.body, '{"runs":1}');
      }
      const path = "/v1/tenants/t_default/activations?namespace=default&function=work&status=success&limit=5";
      await until(async () => {
        const page = (await (await api.call("GET", path)).json()) as { items: { status: string }[] };
        return page.items.length === 5 && page.items.every(({ status }) => status === "success");
      }, "a page of successes");
    });

    test("a platform that starts anew finds everything", async () => {
      await server.kill();
      server = await start();
      api = createApi(server.url);
      const answer = await api.invoke("work", { key: "sync-0" });
      assert.equal(answer.result?.body, '{"runs":2}');
    });

    test("while the server is away callers are refused at once, and it goes on when it is back", async () => {
      await redis.kill();
      const begun = performance.now();
      const response = await send({ key: "away" }, "async");
      assert.equal(response.status, 503, await response.clone().text());
      assert.equal((await api.call("GET", `${api.scope()}/other`)).status, 503);
      assert.ok(performance.now() - begun < 2000, "no caller is kept waiting");
      await until(async () => (await api.call("GET", "/readyz")).status === 503, "it is not ready");
      await redis.restart();
      await until(async () => (await api.call("GET", "/readyz")).status === 200, "it is ready again");
      assert.equal((await ended(await enqueue({ key: "back" }))).status, "success");
    });
  });

  test("a store in a server with a queue in the process is refused with what to do", async () => {
    using data = scratchFolder();
    const settings = { data: data.path, store: "redis://127.0.0.1:1" };
    await assert.rejects(startServer({ settings }), /CS_VALIDATION_FAILED.*set codeq to redis/s);
  });
}
