import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type MockCadence, startMockCadence } from "@sous/platform/cadence-testing";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { scratchFolder, seeded } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const KILLS = 4;
const SEED = 0xcade;
const WORKERS = "/v1/tenants/t_default/namespaces/default/cadence/workers";
const FILES = {
  "manifest.json": manifest({ limits: { timeoutMs: 20_000, maxConcurrency: 20 } }),
  "function.js": `export default async (event) => {
    const [{ n, sleep = 0 }] = event.input.args;
    if (sleep > 0) await new Promise((resolve) => setTimeout(resolve, sleep));
    return { body: String(n) };
  };`,
};
const AUTHZ = {
  invoke_http_roles: ["admin"],
  invoke_schedule_roles: [],
  invoke_cadence_roles: ["role:cadence"],
};
/** Every kill is an attempt of what was running. */
const RETRY = { max_attempts: 20 };

interface Listed {
  activation_id: string;
  status: string;
  attempt: number;
  trigger: { source: { workflowId: string; attempt: number } };
}

const starter = (path: string, cadence: MockCadence) => (): Promise<TestServer> =>
  startServer({ settings: { data: path, cadence: cadence.url, cadence_refresh_seconds: 1 } });

async function deploy(api: Api): Promise<void> {
  await api.deploy({ name: "work", files: FILES, config: { authz: AUTHZ, retry: RETRY } });
  await api.expect(201, "POST", WORKERS, {
    name: "orders",
    domain: "shop",
    tasklist: "orders",
    worker_id: "orders",
    activity_map: { Work: { function: "work", alias: "prod" } },
    pollers: { activity: 4 },
    result: "body",
  });
}

const schedule = (cadence: MockCadence, n: number, sleepMs = 0, more: object = {}) =>
  cadence.schedule({
    tasklist: "orders",
    type: "Work",
    input: JSON.stringify({ n, sleep: sleepMs }),
    startToCloseMs: 60_000,
    ...more,
  });

async function activations(api: Api): Promise<Listed[]> {
  const path = "/v1/tenants/t_default/activations?trigger=cadence&limit=500";
  return (await api.expect<{ items: Listed[] }>(200, "GET", path)).items;
}

test("a result that Cadence did not hear of before a kill completes the activity after the restart", async () => {
  using data = scratchFolder();
  await using cadence = await startMockCadence();
  const start = starter(data.path, cadence);
  let ended: Promise<unknown>;
  {
    await using server = await start();
    const api = createApi(server.url);
    await deploy(api);
    const { activity, ended: outcome } = schedule(cadence, 1, 500);
    ended = outcome;
    await until(() => activity.attempts.length === 1, "the task to be taken");
    await cadence.down();
    await until(async () => (await activations(api)).some(({ status }) => status === "success"), "its end");
    await server.kill();
  }
  await cadence.up();
  await using server = await start();
  assert.deepEqual(await ended, { type: "completed", result: "1" });
  const [record, ...others] = await activations(createApi(server.url));
  assert.deepEqual([record?.status, record?.attempt, others.length], ["success", 1, 0], "it ran once");
});

test("an activity that runs when the platform is killed is looked after again, and ends once", async () => {
  using data = scratchFolder();
  await using cadence = await startMockCadence();
  const start = starter(data.path, cadence);
  const first = await start();
  await deploy(createApi(first.url));
  const { activity, ended } = schedule(cadence, 7, 3000, { heartbeatMs: 15_000 });
  await until(() => activity.attempts.length === 1, "the task to be taken");
  await until(async () => (await activations(createApi(first.url)))[0]?.status === "running", "its run");
  await first.kill();
  const before = activity.attempts[0]?.heartbeats.length ?? 0;
  await using server = await start();
  const api = createApi(server.url);
  await until(() => (activity.attempts[0]?.heartbeats.length ?? 0) > before, "heartbeats to go on");
  assert.deepEqual(await ended, { type: "completed", result: "7" });
  assert.equal(activity.attempts.length, 1, "Cadence noticed nothing");
  const [record, ...others] = await activations(api);
  assert.deepEqual([record?.status, record?.attempt, others.length], ["success", 2, 0]);
});

test("a task of a worker that was deleted meanwhile is still answered after a kill", async () => {
  using data = scratchFolder();
  await using cadence = await startMockCadence();
  const start = starter(data.path, cadence);
  const first = await start();
  const api = createApi(first.url);
  await deploy(api);
  const { activity, ended } = schedule(cadence, 3, 2000);
  await until(() => activity.attempts.length === 1, "the task to be taken");
  await until(async () => (await activations(api))[0]?.status === "running", "its run");
  await api.expect(200, "DELETE", `${WORKERS}/orders`);
  await first.kill();
  await using _server = await start();
  assert.deepEqual(await ended, { type: "completed", result: "3" });
  assert.deepEqual(cadence.polling, []);
});

test(`${KILLS} kills at any moment lose no activity and answer none twice`, async (context) => {
  using data = scratchFolder();
  await using cadence = await startMockCadence();
  const random = seeded(SEED);
  const start = starter(data.path, cadence);
  const all: ReturnType<typeof schedule>[] = [];
  // What dies between the poll and the first write is Cadence's to try again.
  const policy = { heartbeatMs: 20_000, retry: { maximumAttempts: 5, intervalMs: 50 } };
  for (let kill = 0; kill <= KILLS; kill++) {
    await using server = await start();
    if (kill === 0) await deploy(createApi(server.url));
    const untilMs = Date.now() + 300 + random() * 700;
    while (Date.now() < untilMs) {
      all.push(schedule(cadence, all.length, random() < 0.3 ? 300 : 0, policy));
      await sleep(12);
    }
    if (kill < KILLS) await server.kill();
    else {
      const outcomes = await Promise.all(all.map(({ ended }) => ended));
      const wrong = outcomes.flatMap((outcome, n) =>
        outcome.type === "completed" && outcome.result === String(n) ? [] : [{ n, outcome }],
      );
      assert.deepEqual(wrong, []);
      const records = await activations(createApi(server.url));
      context.diagnostic(`${all.length} activities, ${records.length} activations`);
      const attempts = records.map(({ trigger: { source } }) => `${source.workflowId}/${source.attempt}`);
      assert.equal(new Set(attempts).size, records.length, "one activation for each attempt of Cadence");
      const waiting = records.filter(({ status }) => status === "queued" || status === "running");
      assert.deepEqual(waiting, []);
    }
  }
});
