import assert from "node:assert/strict";
import { test } from "node:test";
import { startMockCadence } from "@sous/platform/cadence-testing";
import { missingRedis, startRedis } from "@sous/store/testing";
import { manifest, until } from "../support/api.ts";
import { startCluster } from "../support/cluster.ts";
import { skipUnlessRequired } from "../support/scratch.ts";

const WORKERS = "/v1/tenants/t_default/namespaces/default/cadence/workers";
const FILES = {
  "manifest.json": manifest({ limits: { timeoutMs: 60_000 } }),
  "function.js": `export default async (event) => {
    const [{ n, sleep }] = event.input.args;
    await cs.cadence.heartbeat({ begun: n });
    await new Promise((resolve) => setTimeout(resolve, sleep));
    return { body: String(n) };
  };`,
};
const AUTHZ = {
  invoke_http_roles: ["admin"],
  invoke_schedule_roles: [],
  invoke_cadence_roles: ["role:cadence"],
};
const missing = missingRedis();

test("pollers of Cadence apart", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

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
    await api.deploy({ name: "work", files: FILES, config: { authz: AUTHZ } });
    await api.expect(201, "POST", WORKERS, {
      name: "orders",
      domain: "shop",
      tasklist: "orders",
      worker_id: "orders",
      activity_map: { Work: { function: "work", alias: "prod" } },
      result: "body",
    });
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
}
