import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { missingRedis, type RedisServer, startRedis } from "@sous/store/testing";
import { manifest, until } from "../support/api.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { reportProgress } from "../support/progress.ts";
import { skipUnlessRequired } from "../support/scratch.ts";

/** `SOUS_TEST_STABILITY_SECONDS=60` shows a whole minute. */
const OUTAGE_MS = 1000 * Number(process.env["SOUS_TEST_STABILITY_SECONDS"] ?? 5);
const CALLERS = 6;
const PAUSE_MS = 40;
const CODE = "export default ({ n }) => ({ n });";
const missing = missingRedis();

interface Call {
  /** Of the activation, or the code of the refusal. */
  outcome: string;
  id: string;
  tookMs: number;
}

test("static stability", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  describe("while control and the store are away", () => {
    let store: RedisServer;
    let queue: RedisServer;
    let cluster: Cluster;

    before(async () => {
      [store, queue] = await Promise.all([startRedis({ durable: true }), startRedis()]);
      cluster = await startCluster({
        store: store.url,
        codeq: queue.url,
        counts: { scheduler: 0 },
        // Tokens have to be verified again while nobody can.
        settings: { auth: "local:", auth_cache_seconds: 1 },
      });
      await cluster.api.deploy({
        name: "steady",
        files: { "manifest.json": manifest(), "function.js": CODE },
      });
    });
    after(async () => {
      await cluster[Symbol.asyncDispose]();
      await Promise.all([store[Symbol.asyncDispose](), queue[Symbol.asyncDispose]()]);
    });

    async function call(n: number): Promise<Call> {
      const begun = performance.now();
      const response = await cluster.api.call("POST", `${cluster.api.scope()}/steady:invoke`, {
        ref: { alias: "prod" },
        event: { n },
      });
      const body = (await response.json()) as {
        activation_id?: string;
        status?: string;
        result?: { body: string };
        error?: { code: string };
      };
      if (body.status === "success") assert.equal(body.result?.body, JSON.stringify({ n }));
      const outcome = body.status === "success" ? body.status : (body.error?.code ?? String(response.status));
      return { outcome, id: body.activation_id ?? "", tookMs: performance.now() - begun };
    }

    /** Calls again and again until it is told to stop. @returns every call */
    async function load(stop: AbortSignal): Promise<Call[]> {
      const calls: Call[] = [];
      using _progress = reportProgress(() => `${calls.length} calls ended`);
      const caller = async (): Promise<void> => {
        while (!stop.aborted) {
          calls.push(await call(calls.length));
          await sleep(PAUSE_MS);
        }
      };
      await Promise.all(Array.from({ length: CALLERS }, caller));
      return calls;
    }

    /** Every gateway and invoker has served the function. */
    async function warm(): Promise<void> {
      const { invoker, gateway } = cluster.processes;
      await until(
        async () => {
          await Promise.all(Array.from({ length: 2 * gateway.length }, (_, n) => call(n)));
          const texts = await Promise.all(
            invoker.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()),
          );
          return texts.every((text) => /^cs_invoker_cache_items [1-9]/m.test(text));
        },
        "all of them to be warm",
        30_000,
      );
    }

    async function assertRecorded(calls: readonly Call[]): Promise<void> {
      const open = new Set(calls.filter(({ outcome }) => outcome === "success").map(({ id }) => id));
      await until(
        async () => {
          for (const id of [...open].slice(0, 200)) {
            const path = `/v1/tenants/t_default/activations/${id}`;
            const response = await cluster.api.call("GET", path);
            const record = (await response.json()) as { status?: string };
            if (response.status !== 200) return false;
            assert.equal(record.status, "success");
            open.delete(id);
          }
          return open.size === 0;
        },
        "a record of every call",
        60_000,
      );
      for (const { url } of cluster.processes.invoker) {
        const text = await (await fetch(`${url}/metrics`)).text();
        assert.match(text, /^cs_records_lost_total 0$/m);
      }
    }

    async function outage(begin: () => void | Promise<void>, end: () => Promise<void>): Promise<Call[]> {
      await warm();
      const stop = new AbortController();
      const calls = load(stop.signal);
      await sleep(300);
      await begin();
      await sleep(OUTAGE_MS);
      stop.abort();
      try {
        return await calls;
      } finally {
        await end();
      }
    }

    test("standing still, what is published goes on being called, and every call has its record later", async (context) => {
      const [control] = cluster.processes.control;
      assert.ok(control);
      const calls = await outage(
        () => {
          process.kill(control.pid, "SIGSTOP");
          store.pause();
        },
        async () => {
          store.resume();
          process.kill(control.pid, "SIGCONT");
        },
      );
      const slowest = Math.max(...calls.map(({ tookMs }) => tookMs));
      context.diagnostic(`${calls.length} calls, the slowest took ${Math.round(slowest)} ms`);
      assert.deepEqual(new Set(calls.map(({ outcome }) => outcome)), new Set(["success"]));
      assert.ok(calls.length > (OUTAGE_MS / 1000) * 5, "the load was one");
      await assertRecorded(calls);
    });

    test("killed, what is published goes on being called, and every call has its record later", async (context) => {
      const calls = await outage(
        async () => {
          await Promise.all(cluster.processes.control.map((control) => control.kill()));
          await store.kill();
        },
        async () => {
          await store.restart();
        },
      );
      context.diagnostic(`${calls.length} calls`);
      assert.deepEqual(new Set(calls.map(({ outcome }) => outcome)), new Set(["success"]));
      await cluster.restartControl();
      await assertRecorded(calls);
    });

    test("past what may wait for the store calls are refused, and none is dropped without a word", async (context) => {
      const bound = { "limits.unwritten_ends_max": 40 };
      const before = cluster.processes.invoker.splice(0);
      await cluster.start("invoker", bound);
      await Promise.all(before.map((invoker) => invoker[Symbol.asyncDispose]()));
      const calls = await outage(
        () => store.pause(),
        async () => store.resume(),
      );
      const served = calls.filter(({ outcome }) => outcome === "success");
      const refused = calls.filter(({ outcome }) => outcome !== "success");
      context.diagnostic(`${served.length} served, ${refused.length} refused`);
      assert.ok(served.length >= 40 && refused.length > 0, `${served.length} served`);
      for (const { outcome } of refused) {
        assert.match(outcome, /^CS_(RUNTIME_EXPIRED|QUEUE_FULL|CODEQ_CORRELATION_TIMEOUT)$/);
      }
      await assertRecorded(calls);
      await until(async () => (await call(1)).outcome === "success", "calls to be taken again");
    });
  });
}
