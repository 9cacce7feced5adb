import assert from "node:assert/strict";
import { test } from "node:test";
import { startMockCadence } from "@sous/platform/cadence-testing";
import { missingRedis, startRedis } from "@sous/store/testing";
import { type Api, manifest, until } from "../support/api.ts";
import { startCluster } from "../support/cluster.ts";
import { skipUnlessRequired } from "../support/scratch.ts";

const WORKERS = "/v1/tenants/t_default/namespaces/default/cadence/workers";
const FILES = {
  "manifest.json": manifest({ limits: { timeoutMs: 60_000 } }),
  "function.js": `export default async (event) => {
    const [{ n, sleep, beats = 0 }] = event.input.args;
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    await cs.cadence.heartbeat({ begun: n });
    for (let at = 1; at <= beats; at++) {
      await cs.cadence.heartbeat(at);
      await wait(40);
    }
    await wait(sleep);
    return { body: String(n) };
  };`,
};
const AUTHZ = {
  invoke_http_roles: ["admin"],
  invoke_schedule_roles: [],
  invoke_cadence_roles: ["role:cadence"],
};
/** Heartbeats of a function that says them faster than Cadence is told. */
const BEATS = 60;
const missing = missingRedis();

test("pollers of Cadence apart", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

async function deploy(api: Api): Promise<void> {
  await api.deploy({ name: "work", files: FILES, config: { authz: AUTHZ } });
  await api.expect(201, "POST", WORKERS, {
    name: "orders",
    domain: "shop",
    tasklist: "orders",
    worker_id: "orders",
    activity_map: { Work: { function: "work", alias: "prod" } },
    result: "body",
  });
}

if (missing === undefined) {
  test("tasks of a poller that was killed are looked after by another, and each runs once", async () => {
    await using redis = await startRedis({ durable: true });
    await using cadence = await startMockCadence();
    await using cluster = await startCluster({
      store: redis.url,
      codeq: redis.url,
      counts: { gateway: 0, invoker: 1, scheduler: 0, cadence: 1 },
      settings: { cadence: cadence.url, cadence_refresh_seconds: 1 },
    });
    const { api } = cluster;
    await deploy(api);
    const schedule = (n: number, sleep: number) =>
      cadence.schedule({
        tasklist: "orders",
        type: "Work",
        input: JSON.stringify({ n, sleep }),
        startToCloseMs: 90_000,
        heartbeatMs: 30_000,
      });
    const short = schedule(1, 0);
    assert.deepEqual(await short.ended, { type: "completed", result: "1" });
    assert.match(
      short.activity.attempts[0]?.heartbeats.map(({ details }) => details).join() ?? "",
      /^(\{"begun":1\})?$/,
    );

    const all = [schedule(2, 8000), schedule(3, 20_000)];
    const begun = () => all.every(({ activity }) => (activity.attempts[0]?.heartbeats.length ?? 0) > 0);
    await until(begun, "heartbeats of both functions", 20_000);
    assert.deepEqual(
      all.map(({ activity }) => activity.attempts[0]?.heartbeats.at(-1)?.details),
      ['{"begun":2}', '{"begun":3}'],
      "an invoker's function is heard by the poller of another process",
    );
    await cluster.processes.cadence[0]?.kill();
    await cluster.start("cadence");
    assert.deepEqual(await Promise.all(all.map(({ ended }) => ended)), [
      { type: "completed", result: "2" },
      { type: "completed", result: "3" },
    ]);
    assert.deepEqual(
      all.map(({ activity }) => activity.attempts.length),
      [1, 1],
      "Cadence noticed nothing",
    );
    const path = "/v1/tenants/t_default/activations?trigger=cadence";
    const { items } = await api.expect<{ items: { status: string; attempt: number }[] }>(200, "GET", path);
    assert.deepEqual(
      items.map(({ status, attempt }) => [status, attempt]),
      [1, 2, 3].map(() => ["success", 1]),
    );

    const unwanted = schedule(4, 50_000);
    unwanted.activity.requestCancel();
    const outcome = await unwanted.ended;
    assert.equal(outcome.type, "cancelled", "a poller ends what runs in another process");
  });

  test("with two pollers a function's heartbeats reach Cadence in their order, no more than two a second", async () => {
    await using redis = await startRedis();
    await using cadence = await startMockCadence();
    await using cluster = await startCluster({
      store: redis.url,
      codeq: redis.url,
      counts: { gateway: 0, invoker: 1, scheduler: 0, cadence: 2 },
      settings: { cadence: cadence.url, cadence_refresh_seconds: 1 },
    });
    await deploy(cluster.api);
    await until(() => cadence.polling.length === 2, "polls of both");
    const begunMs = Date.now();
    const all = [1, 2, 3, 4].map((n) =>
      cadence.schedule({
        tasklist: "orders",
        type: "Work",
        input: JSON.stringify({ n, sleep: 2000, beats: BEATS }),
        startToCloseMs: 60_000,
        heartbeatMs: 30_000,
      }),
    );
    for (const { ended } of all) assert.equal((await ended).type, "completed");
    const seconds = (Date.now() - begunMs) / 1000;
    const taken = () =>
      Promise.all(
        cluster.processes.cadence.map(async ({ url }) => {
          const metrics = await (await fetch(`${url}/metrics`)).text();
          return Number(/cs_cadence_tasks_total\{.*status="completed"\} (\d+)/.exec(metrics)?.[1] ?? 0);
        }),
      );
    // A poller counts a task when Cadence has taken its answer, which is after Cadence knows of the end.
    const isCounted = async () => (await taken()).reduce((sum, count) => sum + count, 0) === all.length;
    await until(isCounted, "every task is counted");
    const shares = await taken();
    assert.ok(
      shares.every((count) => count > 0),
      `each poller has a share: ${shares}`,
    );
    for (const { activity } of all) {
      const beats = (activity.attempts[0]?.heartbeats ?? []).map(({ details }) => details);
      assert.ok(beats.length >= 2 && beats.length <= 2 * seconds + 1, `${beats.length} in ${seconds} s`);
      const numbers = beats.map(Number).filter((number) => !Number.isNaN(number));
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      );
      assert.equal(numbers.at(-1), BEATS);
    }
  });
}
