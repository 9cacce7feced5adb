import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { missingRedis, type RedisServer, startRedis } from "@sous/store/testing";
import { manifest, until } from "../support/api.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { skipUnlessRequired } from "../support/scratch.ts";
import type { TestServer } from "../support/server.ts";

/** Notes which attempts began, waits, and answers with its attempt. */
const WORK = `export default async ({ key, waitMs }, ctx) => {
  const begun = (await cs.kv.get("begun/" + key)) ?? [];
  await cs.kv.set("begun/" + key, [...begun, ctx.attempt]);
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  return { attempt: ctx.attempt };
};`;
const BEGUN = `export default async (key) => (await cs.kv.get("begun/" + key)) ?? [];`;
const CAPABILITIES = { kv: { prefixes: ["begun/"], ops: ["get", "set"] } };
const LEASE_MS = 5000;
const missing = missingRedis();

interface Attempt {
  attempt: number;
  error: { type: string };
}

test("failures of roles apart", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  describe("with two invokers and two gateways", () => {
    let redis: RedisServer;
    let cluster: Cluster;

    before(async () => {
      redis = await startRedis();
      cluster = await startCluster({
        store: redis.url,
        codeq: redis.url,
        counts: { scheduler: 0 },
        // A lease may end before a call has waited for too long.
        settings: { "limits.invocation_lease_ms": LEASE_MS, "limits.sync_wait_max_ms": 20_000 },
      });
      const limits = { timeoutMs: 20_000, maxConcurrency: 20 };
      const files = (code: string) => ({
        "function.js": code,
        "manifest.json": manifest({ capabilities: CAPABILITIES, limits }),
      });
      await cluster.api.deploy({ name: "work", files: files(WORK) });
      await cluster.api.deploy({ name: "begun", files: files(BEGUN) });
    });
    after(async () => {
      await cluster[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    });

    const begun = async (key: string): Promise<number[]> =>
      JSON.parse((await cluster.api.invoke("begun", key)).result?.body ?? "[]") as number[];

    async function enqueue(key: string, waitMs: number): Promise<string> {
      const response = await cluster.api.enqueue("work", { key, waitMs });
      assert.equal(response.status, 202, await response.clone().text());
      return ((await response.json()) as { activation_id: string }).activation_id;
    }

    async function ended(id: string, timeoutMs?: number) {
      let record = await cluster.api.activation(id);
      await until(
        async () => {
          record = await cluster.api.activation(id);
          return record.status !== "queued" && record.status !== "running";
        },
        "an end",
        timeoutMs,
      );
      return record;
    }

    async function inflightOf(server: TestServer): Promise<number> {
      const metrics = await (await fetch(`${server.url}/metrics`)).text();
      return Number(/^cs_invoker_inflight (\d+)$/m.exec(metrics)?.[1]);
    }

    /** @returns the invoker that works on something */
    async function busyInvoker(): Promise<TestServer> {
      let busy: TestServer | undefined;
      await until(async () => {
        for (const server of cluster.processes.invoker) {
          if ((await inflightOf(server)) > 0) busy = server;
        }
        return busy !== undefined;
      }, "an invoker at work");
      return busy as TestServer;
    }

    async function replace(gone: TestServer): Promise<void> {
      const { invoker } = cluster.processes;
      invoker.splice(invoker.indexOf(gone), 1);
      await cluster.start("invoker");
    }

    test("work that runs in another process is cancelled within two seconds", async () => {
      const id = await enqueue("cancelled", 15_000);
      await until(async () => (await begun("cancelled")).length === 1, "it to run");
      const path = `/v1/tenants/t_default/activations/${id}:cancel`;
      const askedAt = performance.now();
      assert.equal((await cluster.api.call("POST", path)).status, 202);
      assert.equal((await ended(id)).status, "cancelled");
      const tookMs = performance.now() - askedAt;
      assert.ok(tookMs < 5000, `${tookMs} ms`);
      const again = await cluster.api.call("POST", path);
      assert.equal(again.status, 409, "what has ended cannot be cancelled");
    });

    test("an invoker that is killed: its asynchronous work runs elsewhere", async () => {
      const id = await enqueue("killed", 2000);
      await until(async () => (await begun("killed")).length === 1, "it to run");
      const busy = await busyInvoker();
      await busy.kill();
      const record = await ended(id, 20_000);
      assert.deepEqual([record.status, record["attempt"]], ["success", 2]);
      const attempts = record["attempts"] as Attempt[];
      assert.deepEqual(
        attempts.map(({ attempt, error }) => [attempt, error.type]),
        [[1, "SandboxCrashed"]],
      );
      assert.deepEqual(await begun("killed"), [1, 2]);
      await replace(busy);
    });

    test("a caller whose invoker is killed hears 504 at its deadline, or of the crash when the lease ends", async () => {
      const call = (key: string, timeoutMs: number): Promise<Response> =>
        cluster.api.call(
          "POST",
          `${cluster.api.scope()}/work:invoke`,
          { ref: { alias: "prod" }, mode: "sync", event: { key, waitMs: 18_000 } },
          { "x-timeout-ms": String(timeoutMs) },
        );
      const idle = await Promise.all(cluster.processes.invoker.map(inflightOf));
      assert.deepEqual(new Set(idle), new Set([0]));
      const [short, long] = [call("short", LEASE_MS - 1000), call("long", 18_000)];
      await until(
        async () => (await begun("short")).length + (await begun("long")).length === 2,
        "both to run",
      );
      const busy = cluster.processes.invoker.slice();
      await Promise.all(busy.map((server) => server.kill()));
      await Promise.all(busy.map(replace));

      const late = await short;
      assert.equal(late.status, 504, await late.clone().text());
      const { error } = (await late.json()) as {
        error: { code: string; details: { activation_id: string } };
      };
      assert.equal(error.code, "CS_CODEQ_CORRELATION_TIMEOUT");
      const told = (await (await long).json()) as {
        activation_id: string;
        status: string;
        error: { type: string };
      };
      assert.deepEqual([told.status, told.error.type], ["error", "SandboxCrashed"]);
      for (const id of [error.details.activation_id, told.activation_id]) {
        const path = `/v1/tenants/t_default/activations/${id}`;
        await until(async () => (await cluster.api.call("GET", path)).status === 200, "its record", 20_000);
        const record = await ended(id);
        assert.deepEqual(
          [record.status, (record["error"] as { type: string }).type],
          ["error", "SandboxCrashed"],
        );
      }
      assert.deepEqual([await begun("short"), await begun("long")], [[1], [1]], "neither is tried again");
    });

    test("an invoker that stands still and goes on leaves one record, which does not change", async () => {
      const id = await enqueue("paused", 1000);
      await until(async () => (await begun("paused")).length === 1, "it to run");
      const busy = await busyInvoker();
      process.kill(busy.pid, "SIGSTOP");
      const record = await ended(id, 20_000).finally(() => process.kill(busy.pid, "SIGCONT"));
      assert.equal(record.status, "success");
      assert.equal(record["attempt"], 2);
      await sleep(1500);
      assert.deepEqual(await cluster.api.activation(id), record);
      await until(async () => (await fetch(`${busy.url}/readyz`)).status === 200, "it to go on");
      assert.equal((await cluster.api.invoke("work", { key: "after", waitMs: 0 })).status, "success");
    });

    test("past the depth of its queue every gateway refuses with 429 and when to come again; others are served, and what was taken runs", async () => {
      const answers = await Promise.all(
        Array.from({ length: 240 }, () => cluster.api.enqueue("work", { key: "flood", waitMs: 300 })),
      );
      const refused = answers.filter(({ status }) => status === 429);
      const taken = answers.filter(({ status }) => status === 202);
      assert.equal(refused.length + taken.length, answers.length);
      assert.ok(refused.length > 0 && taken.length >= 100, `${taken.length} taken`);
      for (const response of refused) {
        assert.match(response.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
        assert.equal(response.headers.get("x-queue-reject-reason"), "depth");
      }
      assert.deepEqual(await begun("nobody"), []);
      for (const response of taken) {
        const { activation_id } = (await response.json()) as { activation_id: string };
        assert.equal((await ended(activation_id, 60_000)).status, "success");
      }
    });

    test("a gateway that is killed takes only its own callers with it", async () => {
      const id = await enqueue("gateway", 500);
      const [first, second] = cluster.processes.gateway;
      await first?.kill();
      const answer = await fetch(`${second?.url}${cluster.api.scope()}/work:invoke`, {
        method: "POST",
        body: JSON.stringify({ event: { key: "other-gateway", waitMs: 0 } }),
      });
      assert.equal(answer.status, 200);
      assert.equal((await ended(id)).status, "success");
    });
  });
}
