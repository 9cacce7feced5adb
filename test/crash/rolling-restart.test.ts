import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ActivationPage, ActivationRecord } from "@sous/contract";
import { type MockCadence, startMockCadence } from "@sous/platform/cadence-testing";
import { missingRedis, startRedis } from "@sous/store/testing";
import { type Api, manifest, until } from "../support/api.ts";
import { type Cluster, type RoleName, startCluster } from "../support/cluster.ts";
import { createEventApi } from "../support/event-api.ts";
import { seeded, skipUnlessRequired } from "../support/scratch.ts";
import type { TestServer } from "../support/server.ts";
import { createSteadyClient, type SteadyAnswer } from "../support/steady-client.ts";

const SEED = Number(process.env["SOUS_TEST_ROLLING_SEED"] ?? 0x5055);
/** How often every process is restarted. */
const ROUNDS = Number(process.env["SOUS_TEST_ROLLING_ROUNDS"] ?? 1);
const CALLERS = 4;
const SENDERS = 1;
const PAUSE_MS = 60;
/** What is queued is told to an event source as well. */
const TOPIC = "rolled";
const WORK = `export default async ({ n, waitMs, isTold = false }) => {
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  if (isTold) await cs.codeq.publish("${TOPIC}", { n });
  return { n };
};`;
/** An activity that outlives the poller that took it, now and then. */
const ACTIVITY = `export default async (event) => {
  const [{ n, waitMs }] = event.input.args;
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  return { body: String(n) };
};`;
const ACTIVITY_PAUSE_MS = 800;
/** Longer than a poller waits for ends when it ends itself, shorter than an invoker does. */
const LONG_ACTIVITY_MS = 3500;
/** Shorter than a poller that was killed would be missed: one that ends has to give its tasks back. */
const HEARTBEAT_MS = 8000;
const ROLES: RoleName[] = ["gateway", "invoker", "scheduler", "cadence", "event-sources", "control"];
/** Two waves of restarts, and all that was queued; a busy machine takes its time. */
const PATIENCE_MS = 150_000 + ROUNDS * 300_000;
const AUTHZ = {
  invoke_http_roles: ["admin"],
  invoke_schedule_roles: ["role:worker"],
  invoke_cadence_roles: ["role:cadence"],
};
const NAMESPACE = "/v1/tenants/t_default/namespaces/default";

const INVOKE = `${NAMESPACE}/functions/work:invoke`;

interface Seen {
  calls: number;
  /** Calls that did not end as they should, as texts. */
  faults: string[];
  acknowledged: Map<string, number>;
}

/** Calls and queues through the gateways until it is told to stop. */
async function load(cluster: Cluster, stop: AbortSignal, random: () => number): Promise<Seen> {
  const seen: Seen = { calls: 0, faults: [], acknowledged: new Map() };
  const again = async (once: (post: (body: object) => Promise<SteadyAnswer>) => Promise<void>) => {
    using own = createSteadyClient(cluster.gatewayUrls);
    while (!stop.aborted) {
      try {
        await once((body) => own.post(INVOKE, { ref: { alias: "prod" }, ...body }));
      } catch (error) {
        seen.faults.push(String(error));
      }
      await sleep(PAUSE_MS);
    }
  };
  const caller = () =>
    again(async (post) => {
      const n = seen.calls++;
      const waitMs = random() < 0.2 ? Math.floor(random() * 300) : 0;
      const { status, body } = await post({ mode: "sync", event: { n, waitMs } });
      const { result } = body as { result?: { body: string } };
      if (status !== 200 || result?.body !== JSON.stringify({ n })) {
        seen.faults.push(`${status} ${JSON.stringify(body).slice(0, 300)}`);
      }
    });
  const sender = () =>
    again(async (post) => {
      const n = seen.acknowledged.size;
      const { status, body } = await post({
        mode: "async",
        event: { n, waitMs: Math.floor(random() * 200), isTold: true },
      });
      if (status === 202) seen.acknowledged.set(String(body["activation_id"]), n);
      // As many wait as may: that is an answer, not a fault.
      else if (status !== 429) seen.faults.push(`${status} ${JSON.stringify(body).slice(0, 300)}`);
    });
  await Promise.all([...Array.from({ length: CALLERS }, caller), ...Array.from({ length: SENDERS }, sender)]);
  return seen;
}

/** Has workflows ask for activities until it is told to stop. @returns them, by number */
async function askForActivities(cadence: MockCadence, stop: AbortSignal, random: () => number) {
  const all: ReturnType<MockCadence["schedule"]>[] = [];
  while (!stop.aborted) {
    const waitMs = random() < 0.3 ? LONG_ACTIVITY_MS : Math.floor(random() * 300);
    all.push(
      cadence.schedule({
        tasklist: "rolled",
        type: "Work",
        input: JSON.stringify({ n: all.length, waitMs }),
        heartbeatMs: HEARTBEAT_MS,
        startToCloseMs: 60_000,
        scheduleToCloseMs: 300_000,
        // What was on its way to a poll that is given up is Cadence's to hand out again.
        retry: { maximumAttempts: 5, intervalMs: 20 },
      }),
    );
    await sleep(ACTIVITY_PAUSE_MS);
  }
  return all;
}

/** Every activity was done, and begun once. */
async function checkActivities(api: Api, all: ReturnType<MockCadence["schedule"]>[]): Promise<void> {
  const outcomes = await Promise.all(all.map(({ ended }) => ended));
  assert.deepEqual(
    outcomes,
    all.map((_, n) => ({ type: "completed", result: String(n) })),
  );
  const records = await recordsOf(api, "cadence");
  assert.deepEqual(
    records.map(({ status, attempt }) => `${status} ${attempt}`),
    all.map(() => "success 1"),
  );
  const workflows = records.map(({ trigger }) => String(trigger.source["workflowId"]));
  assert.deepEqual(
    new Set(workflows),
    new Set(all.map(({ activity }) => activity.workflowId)),
    "one activation each",
  );
}

/** Restarts one process of each role at a time, each on its port, as rolling updates do, until all are new. */
async function rollAll(cluster: Cluster, random: () => number): Promise<void> {
  const waves = Math.max(...ROLES.map((role) => cluster.processes[role].length));
  for (let wave = 0; wave < waves; wave++) {
    const victims = ROLES.flatMap((role) =>
      wave < cluster.processes[role].length
        ? [{ role, server: cluster.processes[role][0] as TestServer }]
        : [],
    );
    await Promise.all(
      victims.map(async ({ role, server }) => {
        await sleep(random() * 500);
        cluster.processes[role].shift();
        process.kill(server.pid, "SIGTERM");
        await server.ended;
        const next = await cluster.start(role, { port: Number(new URL(server.url).port) });
        const isReady = async () => (await fetch(`${next.url}/readyz`)).status === 200;
        await until(isReady, `${role} to be ready`, 30_000);
      }),
    );
  }
}

async function recordsOf(api: Api, trigger: "schedule" | "cadence"): Promise<ActivationRecord[]> {
  const records: ActivationRecord[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const from: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const path = `/v1/tenants/t_default/activations?trigger=${trigger}&limit=500${from}`;
    const page: ActivationPage = await api.expect(200, "GET", path);
    records.push(...page.items);
    cursor = page.next_cursor;
  }
  return records;
}

test(
  "restarting every process under load, one of each role at a time, drops no request and loses no work",
  { timeout: PATIENCE_MS },
  async (context) => {
    const missing = missingRedis();
    if (missing !== undefined) {
      skipUnlessRequired(context, missing);
      return;
    }
    await using redis = await startRedis();
    await using cadence = await startMockCadence();
    await using cluster = await startCluster({
      store: redis.url,
      codeq: redis.url,
      counts: { "event-sources": 2, cadence: 2 },
      settings: {
        drain_notice_ms: 2000,
        drain_ms: 5000,
        "limits.async_depth_max": 1000,
        cadence: cadence.url,
        cadence_refresh_seconds: 1,
      },
    });
    const { api } = cluster;
    const random = seeded(SEED);
    const capabilities = { codeq: { publishTopics: [TOPIC] } };
    const files = {
      "function.js": WORK,
      "manifest.json": manifest({ capabilities, limits: { timeoutMs: 10_000 } }),
    };
    const events = createEventApi(api);
    await events.deploySeen("seen");
    const ref = { function: "seen", alias: "prod" };
    await events.create({ name: TOPIC, type: "codeq", codeq: { topic: TOPIC }, ref });
    await api.deploy({ name: "work", files, config: { authz: AUTHZ, retry: { max_attempts: 1 } } });
    await api.expect(201, "POST", `${NAMESPACE}/schedules`, {
      name: "each-second",
      every_seconds: 1,
      overlap_policy: "parallel",
      ref: { function: "work", alias: "prod" },
      payload: { n: -1, waitMs: 0 },
    });

    await api.deploy({
      name: "activity",
      files: { ...files, "function.js": ACTIVITY },
      config: { authz: AUTHZ },
    });
    await api.expect(201, "POST", `${NAMESPACE}/cadence/workers`, {
      name: "rolled",
      domain: "shop",
      tasklist: "rolled",
      worker_id: "rolled",
      activity_map: { Work: { function: "activity", alias: "prod" } },
      result: "body",
    });

    const stop = new AbortController();
    const loading = load(cluster, stop.signal, random);
    const asking = askForActivities(cadence, stop.signal, seeded(SEED + 1));
    await sleep(500);
    try {
      for (let round = 0; round < ROUNDS; round++) await rollAll(cluster, random);
    } finally {
      stop.abort();
    }
    const { calls, faults, acknowledged } = await loading;
    const activities = await asking;
    const numbersOf = `${calls} calls, ${acknowledged.size} queued, ${activities.length} activities`;
    context.diagnostic(`${numbersOf}, seed ${SEED}`);
    assert.deepEqual(faults, []);
    assert.ok(calls > 50 && acknowledged.size > 20, "the load was one");

    for (const [id, n] of acknowledged) {
      await until(
        async () => !/queued|running/.test((await api.activation(id)).status),
        `${id} to end`,
        30_000,
      );
      const record = await api.activation(id);
      assert.equal(record.status, "success", JSON.stringify(record));
      assert.equal((record["result"] as { body: string }).body, JSON.stringify({ n }));
      assert.deepEqual(
        [record["attempt"], record["attempts"]],
        [1, []],
        "none was begun twice for a restart",
      );
    }
    await checkActivities(api, activities);
    const told = await events.seen(TOPIC, acknowledged.size, 60_000);
    assert.deepEqual(
      told.map(({ body }) => body.n).toSorted((a, b) => a - b),
      [...acknowledged.values()].toSorted((a, b) => a - b),
      "what was published is heard",
    );
    const numbers = (await recordsOf(api, "schedule"))
      .map(({ trigger }) => Number(trigger.source["tick_seq"]))
      .toSorted((a, b) => a - b);
    const [first = 0] = numbers;
    assert.ok(numbers.length > 3);
    assert.deepEqual(
      numbers,
      numbers.map((_, at) => first + at),
      "no tick is left out, none comes twice",
    );
  },
);
