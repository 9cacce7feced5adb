import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createRedisCodeQ } from "@sous/codeq/redis";
import type { ActivationRecord, ClusterMember } from "@sous/contract";
import { missingRedis, type RedisServer, startRedis } from "@sous/store/testing";
import { createApi, type InvokeAnswer, manifest, until } from "../support/api.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { runCs } from "../support/run-cs.ts";
import { skipUnlessRequired } from "../support/scratch.ts";
import type { TestServer } from "../support/server.ts";

const CODE = `export default async ({ waitMs = 0 } = {}) => {
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  return "done";
};`;
/** A bundle for each function: one that several share draws all of them to where it is. */
const filesOf = (name: string): Record<string, string> => ({
  "manifest.json": manifest({ limits: { timeoutMs: 5000 } }),
  "function.js": `${CODE} // ${name}`,
});
const NAMES = ["first", "second", "third", "fourth", "fifth", "sixth"];
const HEARTBEAT_MS = 200;
/** After so many warm calls alike, two heartbeats from each to the next, the next call goes there as well. */
const SETTLED = 3;
/** A call that its invoker does not begin is answered by another one in less than this, on a busy machine too. */
const BOUND_MS = 2000;
/** Of queued work, after which somebody else has what a killed invoker had taken. */
const LEASE_MS = 30_000;
const missing = missingRedis();

test("placement", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  describe("placement among invokers", () => {
    let queueServer: RedisServer;
    let storeServer: RedisServer;
    let cluster: Cluster;

    before(async () => {
      [queueServer, storeServer] = await Promise.all([startRedis(), startRedis({ durable: true })]);
      cluster = await startCluster({
        store: storeServer.url,
        codeq: queueServer.url,
        counts: { gateway: 1, invoker: 3, scheduler: 0 },
        settings: { "cluster.heartbeat_ms": HEARTBEAT_MS },
      });
      for (const name of NAMES) await cluster.api.deploy({ name, files: filesOf(name) });
      await until(async () => (await invokers()).length === 3, "three live invokers");
      const everybody = /^cs_cluster_members\{state="live"\} 5$/m;
      await until(async () => everybody.test(await gatewayMetrics()), "the gateway knows them too");
    });
    after(async () => {
      await cluster[Symbol.asyncDispose]();
      await queueServer[Symbol.asyncDispose]();
      await storeServer[Symbol.asyncDispose]();
    });

    async function members(): Promise<ClusterMember[]> {
      const { items } = await cluster.api.expect<{ items: ClusterMember[] }>(
        200,
        "GET",
        "/v1/cluster/members",
      );
      return items;
    }

    const invokers = async (): Promise<ClusterMember[]> =>
      (await members()).filter(({ capacity, state }) => capacity > 0 && state === "live");

    /** @returns the invoker of a record, once it is written */
    async function ranAt({ activation_id }: InvokeAnswer): Promise<ActivationRecord> {
      let record: ActivationRecord | undefined;
      await until(async () => {
        const path = `/v1/tenants/t_default/activations/${activation_id}`;
        const response = await cluster.api.call("GET", path);
        if (response.status !== 200) return false;
        record = (await response.json()) as ActivationRecord;
        return record.end_ms !== null;
      }, "a record");
      return record as ActivationRecord;
    }

    async function invoke(name: string, event: unknown = {}): Promise<ActivationRecord & { tookMs: number }> {
      const begun = performance.now();
      const answer = await cluster.api.invoke(name, event);
      const tookMs = performance.now() - begun;
      assert.equal(answer.status, "success", JSON.stringify(answer));
      return { ...(await ranAt(answer)), tookMs };
    }

    /**
     * @returns the process of the invoker a function's calls are sent to: because it is warm there, and again by what
     * the members told later. What they told just before may make one choice differ, and so may their load.
     */
    async function preferred(name: string): Promise<{ id: string; server: TestServer }> {
      let id: string | null | undefined;
      let alike = 0;
      await until(async () => {
        const before = await decisions();
        const { invoker } = await invoke(name);
        const warm = ((await decisions())["warm"] ?? 0) > (before["warm"] ?? 0);
        alike = !warm ? 0 : invoker === id ? alike + 1 : 1;
        id = invoker;
        if (alike < SETTLED) await new Promise((resolve) => setTimeout(resolve, 2 * HEARTBEAT_MS));
        return alike >= SETTLED;
      }, `${name} is at home`);
      const found = (await members()).find((member) => member.id === id);
      const server = cluster.processes.invoker.find(({ url }) => url === found?.address);
      assert.ok(server, `the process of ${id}`);
      return { id: String(id), server };
    }

    const gatewayMetrics = async (): Promise<string> =>
      (await fetch(`${cluster.gatewayUrls[0]}/metrics`)).text();

    async function decisions(): Promise<Record<string, number>> {
      const text = await gatewayMetrics();
      const found = text.matchAll(/^cs_placement_(?:total\{decision="(\w+)"\}|(taken_back)_total) (\d+)$/gm);
      return Object.fromEntries(
        [...found].map(([, decision, other, count]) => [decision ?? other, Number(count)]),
      );
    }

    test("cs cluster status shows every process, from the control plane's own view", async () => {
      const { code, stdout, stderr } = await runCs(cluster.api.url, ["cluster", "status", "--json"]);
      assert.equal(code, 0, stderr);
      const { items, read_at_ms, now_ms } = JSON.parse(stdout) as {
        items: ClusterMember[];
        read_at_ms: number;
        now_ms: number;
      };
      assert.deepEqual(items.map(({ roles }) => roles.join(",")).toSorted(), [
        "control",
        "gateway",
        "invoker",
        "invoker",
        "invoker",
      ]);
      const urls = Object.values(cluster.processes).flat();
      assert.deepEqual(items.map(({ address }) => address).toSorted(), urls.map(({ url }) => url).toSorted());
      assert.ok(now_ms - read_at_ms < 60_000);
    });

    test("each version stays with one invoker and is cold there once; together they use several", async () => {
      const used = new Set<string>();
      const takenBack = async (): Promise<number> => (await decisions())["taken_back"] ?? 0;
      const atFirst = await takenBack();
      for (const name of NAMES) {
        const runs: ActivationRecord[] = [];
        for (let call = 0; call < 6; call++) runs.push(await invoke(name));
        // On a machine that is busy an invoker may not begin a call in its time: another does, and a second later the
        // first one is asked again, maybe for the next function.
        const others = (await takenBack()) - atFirst;
        const seen = JSON.stringify({ name, others, at: runs.map(({ invoker, cold }) => [invoker, cold]) });
        assert.ok(new Set(runs.map(({ invoker }) => invoker)).size <= 1 + others, seen);
        assert.ok(runs.filter(({ cold }) => cold).length <= 1 + others, seen);
        if (others === 0) used.add(runs[0]?.invoker as string);
      }
      assert.ok(used.size <= 2, `a tenant is at home with two of them, not with ${[...used].join(" ")}`);
      await until(async () => (await invokers()).some(({ warm_versions }) => warm_versions > 0), "a report");
      const before = await decisions();
      await invoke("first");
      await until(async () => ((await decisions())["warm"] ?? 0) > (before["warm"] ?? 0), "a warm choice");
    });

    test("more calls at once than one invoker should bear are spread", async () => {
      const answers = await Promise.all(
        Array.from({ length: 30 }, () => cluster.api.invoke("second", { waitMs: 200 })),
      );
      const records = await Promise.all(answers.map(ranAt));
      assert.ok(new Set(records.map(({ invoker }) => invoker)).size > 1);
    });

    test("an invoker that stands still costs a call a moment and the next ones nothing, and comes back", async () => {
      const { id, server } = await preferred("third");
      process.kill(server.pid, "SIGSTOP");
      try {
        const first = await invoke("third");
        assert.notEqual(first.invoker, id);
        assert.ok(first.tookMs < BOUND_MS, `${first.tookMs} ms`);
        const { taken_back = 0 } = await decisions();
        assert.ok(taken_back >= 1);
        for (let call = 0; call < 5; call++) assert.notEqual((await invoke("third")).invoker, id);
        await until(async () => !(await members()).some((member) => member.id === id), "it counts as gone");
        for (let call = 0; call < 5; call++) assert.notEqual((await invoke("third")).invoker, id);
      } finally {
        process.kill(server.pid, "SIGCONT");
      }
      await until(async () => (await invokers()).some((member) => member.id === id), "it is back");
      assert.equal((await invoke("third")).status, "success");
    });

    test("while the store is away calls are placed by what was last seen", async () => {
      const { id } = await preferred("fourth");
      const seen = await decisions();
      await until(async () => {
        await invoke("fourth");
        return ((await decisions())["warm"] ?? 0) > (seen["warm"] ?? 0);
      }, "everybody knows where it is warm");
      const before = await decisions();
      await storeServer.kill();
      try {
        await new Promise((resolve) => setTimeout(resolve, 10 * HEARTBEAT_MS));
        for (let call = 0; call < 5; call++) {
          assert.equal((await cluster.api.invoke("fourth", {})).status, "success");
        }
        const after = await decisions();
        assert.equal((after["warm"] ?? 0) - (before["warm"] ?? 0), 5, JSON.stringify({ before, after }));
        assert.equal(after["taken_back"], before["taken_back"]);
        const { stderr } = await runCs(cluster.api.url, ["cluster", "status"]);
        assert.doesNotMatch(stderr, /lost/);
      } finally {
        await storeServer.restart();
      }
      for (const { url } of Object.values(cluster.processes).flat()) {
        await until(async () => (await fetch(`${url}/readyz`)).status === 200, "it is ready again");
      }
      await until(async () => (await invokers()).some((member) => member.id === id), "the cluster goes on");
    });

    test("an invoker that leaves loses no call, and is gone from the cluster at once", async () => {
      const { id, server } = await preferred("fifth");
      let going = true;
      const failures: unknown[] = [];
      let calls = 0;
      const load = Array.from({ length: 4 }, async () => {
        while (going) {
          calls++;
          const answer = await cluster.api.invoke("fifth", { waitMs: 5 }).catch((error: unknown) => error);
          if ((answer as InvokeAnswer).status !== "success") failures.push(answer);
        }
      });
      await until(async () => calls > 20, "load");
      await server[Symbol.asyncDispose]();
      cluster.processes.invoker.splice(cluster.processes.invoker.indexOf(server), 1);
      const atEnd = calls;
      await until(async () => calls > atEnd + 20, "load afterwards");
      going = false;
      await Promise.all(load);
      assert.deepEqual(failures, []);
      await until(async () => !(await members()).some((member) => member.id === id), "its record is gone");
      await cluster.start("invoker");
      await until(async () => (await invokers()).length === 3, "three again");
    });

    test("a killed invoker loses no queued work, answers come from others, and its record goes when its topic is empty", async () => {
      const { id, server } = await preferred("sixth");
      const queued = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const response = await cluster.api.enqueue("sixth", { waitMs: 20 });
          assert.equal(response.status, 202);
          return ((await response.json()) as InvokeAnswer).activation_id;
        }),
      );
      await server.kill();
      cluster.processes.invoker.splice(cluster.processes.invoker.indexOf(server), 1);
      const first = await invoke("sixth");
      assert.ok(first.invoker !== id && first.tookMs < BOUND_MS, `${first.tookMs} ms`);
      for (let call = 0; call < 5; call++) assert.notEqual((await invoke("sixth")).invoker, id);
      await until(async () => !(await members()).some((member) => member.id === id), "its record is gone");
      // What it had claimed and not begun comes back with its lease, which a record does not show.
      await until(
        async () => {
          const records = await Promise.all(queued.map((one) => cluster.api.activation(one)));
          return records.every(
            ({ status, invoker }) => status === "success" || (status === "running" && invoker === id),
          );
        },
        "the queued work",
        2 * LEASE_MS,
      );
    });

    test("a call whose gateway and invoker are both gone is not left behind in the queue", async () => {
      const { id, server } = await preferred("first");
      await using gone = await cluster.start("gateway");
      await using queue = await createRedisCodeQ<unknown, unknown>({ url: queueServer.url, clock: Date.now });
      await until(async () => {
        const text = await (await fetch(`${gone.url}/metrics`)).text();
        return /cs_cluster_members\{state="live"\} [5-9]/.test(text);
      }, "the new gateway knows the cluster");
      process.kill(server.pid, "SIGSTOP");
      const call = createApi(gone.url)
        .invoke("first", {})
        .catch(() => "cut off");
      const topic = `cs.invoke.${id}`;
      await Promise.race([
        call,
        until(async () => (await queue.depth(topic)).some(({ ready }) => ready > 0), "it waits there"),
      ]).catch(() => {});
      await gone.kill();
      process.kill(server.pid, "SIGKILL");
      await call;
      cluster.processes.invoker.splice(cluster.processes.invoker.indexOf(server), 1);
      await until(async () => !(await members()).some((member) => member.id === id), "its record is gone");
      assert.deepEqual(await queue.depth(topic), []);
    });
  });
}
