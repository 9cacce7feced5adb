import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { missingRedis, startRedis } from "@sous/store/testing";
import { createApi, manifest, until } from "../support/api.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { isTerminal } from "../support/history.ts";
import { descendantsOf } from "../support/process-tree.ts";
import { noteRun, notesAllowed, type RunNotes, startRunNotes } from "../support/run-notes.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";
import { assertConsecutive, settledTicks } from "../support/ticks.ts";

const SCHEDULES = "/v1/tenants/t_default/namespaces/default/schedules";
const missing = missingRedis();

test("parts of a cluster that are down", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  describe("parts of a cluster that are down", () => {
    const stack = new AsyncDisposableStack();
    let cluster: Cluster;
    let notes: RunNotes;

    before(async () => {
      const redis = stack.use(await startRedis({ durable: true }));
      notes = stack.use(await startRunNotes());
      cluster = stack.use(
        await startCluster({
          store: redis.url,
          codeq: redis.url,
          counts: { invoker: 1, scheduler: 1 },
          settings: { "egress.private_allow": ["127.0.0.1/32"] },
        }),
      );
      const code = `export default async ({ waitMs, failUntil }, ctx) => {
        ${noteRun(notes)}
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        if (ctx.attempt < failUntil) throw new Error("not this time");
        return { attempt: ctx.attempt };
      };`;
      const limits = { timeoutMs: 10_000 };
      await cluster.api.deploy({
        name: "noted",
        files: {
          "function.js": code,
          "manifest.json": manifest({ capabilities: notesAllowed(notes), limits }),
        },
        config: {
          retry: { max_attempts: 5, backoff_ms: 300, backoff_max_ms: 1000 },
          authz: { invoke_http_roles: ["admin"], invoke_schedule_roles: ["role:worker"] },
        },
      });
    });
    after(() => stack.disposeAsync());

    async function ended(id: string) {
      let record = await cluster.api.activation(id);
      await until(async () => isTerminal((record = await cluster.api.activation(id))), "its end");
      return record;
    }

    test("while control is down schedules tick and failed work is tried again, and all of it is recorded", async () => {
      const { api } = cluster;
      await api.expect(201, "POST", SCHEDULES, {
        name: "each-second",
        every_seconds: 1,
        overlap_policy: "parallel",
        ref: { function: "noted", alias: "prod" },
        payload: { waitMs: 0 },
      });
      await until(() => notes.runs.size > 0, "the first tick");
      await Promise.all(cluster.processes.control.map((control) => control.kill()));
      const before = notes.runs.size;
      const answer = await api.enqueue("noted", { waitMs: 100, failUntil: 3 });
      assert.equal(answer.status, 202);
      const { activation_id: id } = (await answer.json()) as { activation_id: string };
      await until(() => notes.runs.get(id)?.length === 3, "its third attempt");
      await until(() => notes.runs.size >= before + 4, "three ticks more");
      await cluster.restartControl();
      const record = await ended(id);
      assert.deepEqual([record.status, record["attempt"]], ["success", 3]);
      await api.expect(200, "PATCH", `${SCHEDULES}/each-second`, { enabled: false });
      const ticks = await settledTicks(api, "each-second");
      assertConsecutive(ticks, 1000);
      for (const { status, attempt } of ticks) assert.deepEqual([status, attempt], ["success", 1]);
    });

    test("what a caller of a killed gateway waits for ends once, and its record says so", async () => {
      const [gateway] = cluster.processes.gateway;
      assert.ok(gateway);
      const ran = new Set(notes.runs.keys());
      const api = createApi(cluster.api.url, undefined, [gateway.url]);
      const waiting = api.invoke("noted", { waitMs: 2000 }).then(
        () => "answered",
        () => "cut off",
      );
      const begun = (): string | undefined => [...notes.runs.keys()].find((id) => !ran.has(id));
      await until(() => begun() !== undefined, "it to run");
      await gateway.kill();
      assert.equal(await waiting, "cut off");
      const id = begun() ?? "";
      await until(
        async () => (await api.call("GET", `/v1/tenants/t_default/activations/${id}`)).status === 200,
        "its record",
      );
      const record = await ended(id);
      assert.deepEqual([record.status, record["attempt"], record["mode"]], ["success", 1, "sync"]);
      // A second run would have begun by the deadline of the first.
      await sleep(Math.max(0, Number(record["start_ms"]) + 10_000 - Date.now()));
      assert.deepEqual(await api.activation(id), record);
      assert.equal(notes.runs.get(id)?.length, 1);
    });
  });
}

test("a sandbox host that is killed takes its own activation with it; another tenant notices nothing, and the next call runs", async () => {
  using data = scratchFolder();
  await using server = await startServer({ settings: { data: data.path } });
  const api = createApi(server.url);
  const files = {
    "function.js": "export default ({ spin }) => { while (spin); return 1; };",
    "manifest.json": manifest({ limits: { timeoutMs: 20_000 } }),
  };
  const [tenant, other] = ["t_struck00", "t_bystander"];
  for (const each of [tenant, other]) {
    await api.deploy({ name: "spinner", tenant: each, files });
    assert.equal((await api.invoke("spinner", {}, { tenant: each })).status, "success");
  }
  const hosts = descendantsOf(server.pid);
  const spinning = api.invoke("spinner", { spin: true }, { tenant });
  process.kill(await busiest(hosts), "SIGKILL");
  const beside = await Promise.all(
    Array.from({ length: 20 }, () => api.invoke("spinner", {}, { tenant: other })),
  );
  assert.deepEqual(new Set(beside.map(({ status }) => status)), new Set(["success"]));
  const { status, error, activation_id: id } = await spinning;
  assert.deepEqual([status, error?.type], ["error", "SandboxCrashed"]);
  await until(
    async () => (await api.call("GET", `/v1/tenants/${tenant}/activations/${id}`)).status === 200,
    "its record",
  );
  assert.equal((await api.activation(id, tenant)).status, "error");
  assert.equal((await api.invoke("spinner", {}, { tenant })).status, "success");
});

/** @returns the first of some processes that has used a second of a processor */
async function busiest(pids: readonly number[]): Promise<number> {
  const before = pids.map(processorMs);
  let found: number | undefined;
  await until(() => {
    found = pids.find((pid, at) => processorMs(pid) - (before[at] ?? 0) > 1000);
    return found !== undefined;
  }, "a host that works");
  return found as number;
}

function processorMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return 0;
  }
}
