import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { missingRedis, startRedis } from "@sous/store/testing";
import { startKubernetesApi } from "../../packages/platform/src/scheduler/testing/kubernetes-api.ts";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";
import { assertApart, assertConsecutive, settledTicks, sourceOf, ticksOf } from "../support/ticks.ts";

const SCHEDULES = "/v1/tenants/t_default/namespaces/default/schedules";
const AUTHZ = {
  invoke_http_roles: ["admin"],
  invoke_schedule_roles: ["role:worker"],
  invoke_cadence_roles: [],
};
const QUICK = "export default (event, ctx) => ({ event, type: ctx.trigger.type, sub: ctx.principal.sub });";

/** Where a platform keeps what it has. */
interface Place extends AsyncDisposable {
  settings: Record<string, unknown>;
}
type OpenPlace = () => Promise<Place>;

async function openFolder(): Promise<Place> {
  const data = scratchFolder();
  return { settings: { data: data.path }, [Symbol.asyncDispose]: async () => data[Symbol.dispose]() };
}

async function openRedis(): Promise<Place> {
  const data = scratchFolder();
  const redis = await startRedis({ durable: true });
  return {
    settings: { data: data.path, store: redis.url, codeq: redis.url },
    async [Symbol.asyncDispose]() {
      await redis[Symbol.asyncDispose]();
      data[Symbol.dispose]();
    },
  };
}

const missing = missingRedis();

test("schedules on a Redis store", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

describeKills("in the embedded store", openFolder);
if (missing === undefined) describeKills("in a Redis store", openRedis);

function describeKills(where: string, open: OpenPlace): void {
  test(`after a kill what was missed is made up for, and no tick runs twice, ${where}`, async () => {
    await using place = await open();
    const { settings } = place;
    let server = await startServer({ settings });
    let api = createApi(server.url);
    const files = { "function.js": QUICK, "manifest.json": manifest() };
    await api.deploy({ name: "quick", files, config: { authz: AUTHZ } });
    const ref = { function: "quick", alias: "prod" };
    const every = { every_seconds: 1, ref };
    await api.expect(201, "POST", SCHEDULES, { ...every, name: "all", overlap_policy: "parallel" });
    await api.expect(201, "POST", SCHEDULES, { ...every, name: "in-turn", overlap_policy: "queue" });
    const few = { ...every, name: "few", overlap_policy: "parallel", max_catchup_ticks: 2 };
    await api.expect(201, "POST", SCHEDULES, few);
    for (const ms of [1300, 900, 1600]) {
      await sleep(ms);
      await server.kill();
      await sleep(ms === 900 ? 5000 : 0);
      server = await startServer({ settings });
      api = createApi(server.url);
    }
    // With a store that may be shared the lease of the one that was killed has to run out first.
    await until(async () => (await ticksOf(api, "all")).length >= 12, "ticks to be made up for", 20_000);
    const names = ["all", "in-turn", "few"];
    for (const name of names) await api.expect(200, "PATCH", `${SCHEDULES}/${name}`, { enabled: false });
    const [all, inTurn, some] = [
      await settledTicks(api, "all"),
      await settledTicks(api, "in-turn"),
      await settledTicks(api, "few"),
    ];
    await server[Symbol.asyncDispose]();
    assertConsecutive(all, 1000);
    assertConsecutive(inTurn, 1000);
    assertApart(inTurn);
    assert.ok(all.length >= 11, `${all.length} ticks in more than eleven seconds`);
    assert.equal(new Set(some.map((tick) => sourceOf(tick).tick_seq)).size, some.length);
    assert.ok(some.length < all.length, "more was missed than may be made up for");
    for (const tick of [...all, ...some]) assert.equal(tick.status, "success", JSON.stringify(tick.error));
  });
}

test("with a Lease of Kubernetes one platform leads, and a released Lease is the next one's at once", async () => {
  await using api = await startKubernetesApi();
  using data = scratchFolder();
  const kubernetes = { leader: "kubernetes:", "kubernetes.api": api.url, "kubernetes.namespace": "sous" };
  const settings = { data: data.path, ...kubernetes };
  const isHeld = (): boolean => typeof api.lease("sous/sous-scheduler")?.spec["holderIdentity"] === "string";
  for (const term of [1, 3]) {
    await using server = await startServer({ settings });
    const platform = createApi(server.url);
    await until(() => leads(platform), "a leader");
    assert.equal(api.lease("sous/sous-scheduler")?.spec["leaseTransitions"], term);
    const files = { "function.js": QUICK, "manifest.json": manifest() };
    if (term === 1) await platform.deploy({ name: "quick", files, config: { authz: AUTHZ } });
    const ref = { function: "quick", alias: "prod" };
    const name = `term-${term}`;
    await platform.expect(201, "POST", SCHEDULES, { name, every_seconds: 1, ref });
    await until(async () => (await ticksOf(platform, name)).length >= 2, "ticks");
    assert.equal(isHeld(), true);
    await server[Symbol.asyncDispose]();
    assert.equal(isHeld(), false, "given back");
  }
});

async function leads(api: Api): Promise<boolean> {
  return /^cs_scheduler_leader 1$/m.test(await (await api.call("GET", "/metrics")).text());
}
