import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { missingRedis, type RedisServer, startRedis } from "@sous/store/testing";
import { createApi, manifest, until } from "../support/api.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { skipUnlessRequired } from "../support/scratch.ts";
import type { TestServer } from "../support/server.ts";

const SLOW = "export default (ms) => new Promise((resolve) => setTimeout(() => resolve(ms), ms));";
const NOTICE_MS = 1500;
const missing = missingRedis();

test("stopping roles apart", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  describe("a role that is told to stop", () => {
    let redis: RedisServer;
    let cluster: Cluster;
    before(async () => {
      redis = await startRedis();
      cluster = await startCluster({
        store: redis.url,
        codeq: redis.url,
        counts: { gateway: 0, invoker: 0, scheduler: 0 },
      });
      const limits = { timeoutMs: 25_000, maxConcurrency: 1 };
      const files = { "function.js": SLOW, "manifest.json": manifest({ limits }) };
      await cluster.api.deploy({ name: "slow", files, config: { retry: { max_attempts: 1 } } });
    });
    after(async () => {
      await cluster[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    });

    const apiOf = (gateway: TestServer) => createApi(cluster.api.url, undefined, [gateway.url]);

    async function enqueue(gateway: TestServer, ms: number): Promise<string> {
      const response = await apiOf(gateway).enqueue("slow", ms);
      assert.equal(response.status, 202, await response.clone().text());
      return ((await response.json()) as { activation_id: string }).activation_id;
    }
    const status = async (id: string): Promise<string> => (await cluster.api.activation(id)).status;

    test("a gateway is not ready first, serves on for its notice, lets calls end, then refuses", async () => {
      const gateway = await cluster.start("gateway", { drain_notice_ms: NOTICE_MS });
      const invoker = await cluster.start("invoker");
      const api = apiOf(gateway);
      assert.equal((await api.invoke("slow", 1)).status, "success");
      const long = api.invoke("slow", NOTICE_MS + 1000);
      process.kill(gateway.pid, "SIGTERM");
      await until(async () => {
        const ready = await fetch(`${gateway.url}/readyz`);
        return ready.status === 503 && ((await ready.json()) as { status: string }).status === "draining";
      }, "it to be draining");
      const meanwhile = await api.call("POST", `${api.scope()}/slow:invoke`, { mode: "async", event: 1 });
      assert.equal(meanwhile.status, 202, "it still serves");
      assert.equal(meanwhile.headers.get("connection"), "close");
      assert.equal((await long).status, "success", "a call that has begun ends");
      await gateway.ended;
      await assert.rejects(fetch(`${gateway.url}/readyz`), "nobody listens any more");
      process.kill(invoker.pid, "SIGTERM");
      await invoker.ended;
    });

    test("an invoker lets run what runs and takes no more; the rest is another's, each once", async () => {
      const gateway = await cluster.start("gateway");
      const first = await cluster.start("invoker");
      const running = await enqueue(gateway, 1500);
      await until(async () => (await status(running)) === "running", "it to run");
      const waiting = await enqueue(gateway, 1);
      process.kill(first.pid, "SIGTERM");
      await until(async () => (await fetch(`${first.url}/readyz`)).status === 503, "it to be draining");
      await first.ended;
      assert.equal(await status(running), "success", "it ended before its process did");
      assert.equal(await status(waiting), "queued");
      const second = await cluster.start("invoker");
      await until(async () => (await status(waiting)) === "success", "the rest to run");
      for (const id of [running, waiting]) {
        const { attempt, attempts } = await cluster.api.activation(id);
        assert.deepEqual([attempt, attempts], [1, []]);
      }
      process.kill(second.pid, "SIGTERM");
      await second.ended;
    });

    test("what an invoker cannot end in its time it hands back at once, as the same attempt", async () => {
      const gateway = await cluster.start("gateway");
      const first = await cluster.start("invoker", { drain_ms: 300 });
      const id = await enqueue(gateway, 4000);
      await until(async () => (await status(id)) === "running", "it to run");
      const second = await cluster.start("invoker");
      const toldAt = performance.now();
      process.kill(first.pid, "SIGTERM");
      await first.ended;
      assert.ok(performance.now() - toldAt < 5000, "it ends in a bounded time");
      await until(async () => (await status(id)) === "success", "the other to run it", 15_000);
      const { attempt, attempts } = await cluster.api.activation(id);
      assert.deepEqual([attempt, attempts], [1, []]);
      process.kill(second.pid, "SIGTERM");
      await second.ended;
    });

    test("a control plane lets requests end", async () => {
      const control = await cluster.start("control");
      const body = JSON.stringify({
        name: "begun",
        runtime: "cs-js",
        entry: "function.js",
        handler: "default",
      });
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
      const answer = Promise.withResolvers<number | undefined>();
      const begun = request(control.url + cluster.api.scope(), { method: "POST", headers, agent: false });
      begun.on("response", (response) => answer.resolve(response.resume().statusCode));
      begun.on("error", answer.reject);
      await new Promise((written) => begun.write(body.slice(0, 10), written));
      // It has come in by then: what is asked later is answered.
      await fetch(`${control.url}/readyz`);
      process.kill(control.pid, "SIGTERM");
      await until(async () => {
        const asked = await fetch(`${control.url}/readyz`).catch(() => undefined);
        return asked?.status !== 200;
      }, "it to be stopping");
      begun.end(body.slice(10));
      assert.equal(await answer.promise, 201);
      await control.ended;
    });
  });
}
