import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ActivationRecord, RunScheduleReply, ScheduleReply } from "@sous/contract";
import { missingRedis, startRedis } from "@sous/store/testing";
import { startKubernetesApi } from "../../packages/platform/src/scheduler/testing/kubernetes-api.ts";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { runCs } from "../support/run-cs.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { assertApart, assertConsecutive, sourceOf, ticksOf } from "../support/ticks.ts";

const SCHEDULES = "/v1/tenants/t_default/namespaces/default/schedules";
const AUTHZ = {
  invoke_http_roles: ["admin"],
  invoke_schedule_roles: ["role:worker"],
  invoke_cadence_roles: [],
};
const QUICK = "export default (event, ctx) => ({ event, type: ctx.trigger.type, sub: ctx.principal.sub });";
const SLOW = `export default async ({ ms }) => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return "done";
};`;

async function settled(api: Api, schedule: string): Promise<ActivationRecord[]> {
  const isOpen = ({ status }: ActivationRecord): boolean => status === "queued" || status === "running";
  await until(
    async () => !(await ticksOf(api, schedule)).some(isOpen),
    `ticks of ${schedule} to end`,
    20_000,
  );
  return await ticksOf(api, schedule);
}

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

describeSchedules("in the embedded store", openFolder);
if (missing === undefined) describeSchedules("in a Redis store", openRedis);

function describeSchedules(where: string, open: OpenPlace): void {
  describe(`schedules ${where}`, () => {
    let place: Place;
    let server: TestServer;
    let api: Api;

    const create = (body: object): Promise<ScheduleReply> => api.expect(201, "POST", SCHEDULES, body);
    const pause = (name: string): Promise<ScheduleReply> =>
      api.expect(200, "PATCH", `${SCHEDULES}/${name}`, { enabled: false });

    before(async () => {
      place = await open();
      server = await startServer({ settings: place.settings });
      api = createApi(server.url);
      const files = (code: string) => ({ "function.js": code, "manifest.json": manifest() });
      await api.deploy({ name: "quick", files: files(QUICK), config: { authz: AUTHZ } });
      await api.deploy({ name: "slow", files: files(SLOW), config: { authz: AUTHZ } });
      await api.deploy({ name: "closed", files: files(QUICK) });
    });
    after(async () => {
      await server[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    });

    test("each tick of a second is one activation with the payload, its moment and the scheduler's name", async () => {
      const made = await create({
        name: "each-second",
        every_seconds: 1,
        overlap_policy: "parallel",
        ref: { function: "quick", alias: "prod" },
        payload: { n: 7 },
      });
      await sleep(5500);
      const { tick_seq } = await pause("each-second");
      const ticks = await settled(api, "each-second");
      // The pause took a number.
      assert.equal(ticks.length, tick_seq - 2);
      assert.ok(ticks.length >= 5, `${ticks.length} ticks`);
      assertConsecutive(ticks, 1000);
      assert.equal(sourceOf(ticks[0] as ActivationRecord).due_ms, made.created_at_ms + 1000);
      for (const tick of ticks) {
        const expected = { event: { n: 7 }, type: "schedule", sub: "sp:cs-scheduler" };
        assert.equal(tick.result?.body, JSON.stringify(expected));
        assert.deepEqual([tick.mode, tick.resolved_version, tick.ref.alias], ["async", 1, "prod"]);
      }
      const listed = await runCs(api.url, ["schedule", "list"]);
      assert.match(listed.stdout, /"name":"each-second".*"next_tick_ms":null/);
    });

    test("skip never runs two at a time, queue runs all one by one, parallel runs them beside each other", async () => {
      const slow = { every_seconds: 1, ref: { function: "slow", alias: "prod" }, payload: { ms: 1700 } };
      await create({ ...slow, name: "skipping", overlap_policy: "skip" });
      await create({ ...slow, name: "queueing", overlap_policy: "queue" });
      await create({ ...slow, name: "beside", overlap_policy: "parallel" });
      await sleep(6500);
      for (const name of ["skipping", "queueing", "beside"]) await pause(name);
      const [skipped, queued, parallel] = [
        await settled(api, "skipping"),
        await settled(api, "queueing"),
        await settled(api, "beside"),
      ];
      assertApart(skipped);
      assert.ok(
        skipped.length >= 2 && skipped.length < parallel.length,
        `${skipped.length} of ${parallel.length}`,
      );
      assertApart(queued);
      assertConsecutive(queued, 1000);
      assertConsecutive(parallel, 1000);
      assert.throws(() => assertApart(parallel), /two ran at a time/);
      for (const tick of [...skipped, ...queued, ...parallel]) assert.equal(tick.status, "success");
    });

    test("a tick that no role lets run leaves a record that says so", async () => {
      const made = await create({
        name: "denied",
        every_seconds: 1,
        ref: { function: "closed", alias: "prod" },
      });
      assert.match(made.warnings.join(), /lets no schedule run it/);
      await until(async () => (await ticksOf(api, "denied")).length > 0, "a record of a denied tick");
      await pause("denied");
      const [tick] = await ticksOf(api, "denied");
      assert.deepEqual([tick?.status, tick?.error?.type, tick?.start_ms], ["error", "RoleMissing", null]);
    });

    test("a paused schedule runs nothing but what somebody wants to run now", async () => {
      const made = await create({
        name: "paused",
        every_seconds: 1,
        enabled: false,
        ref: { function: "quick", alias: "prod" },
      });
      assert.deepEqual([made.next_runs, made.next_tick_ms], [[], null]);
      const run = await api.expect<RunScheduleReply>(202, "POST", `${SCHEDULES}/paused:run`);
      await until(
        async () => (await api.activation(run.activation_id)).status === "success",
        "the run to end",
      );
      await sleep(1500);
      assert.deepEqual(await ticksOf(api, "paused"), []);
      await api.expect(200, "PATCH", `${SCHEDULES}/paused`, { enabled: true });
      await until(async () => (await ticksOf(api, "paused")).length > 0, "a tick after it was resumed");
      await api.expect(200, "DELETE", `${SCHEDULES}/paused`);
    });

    test("a version is pinned when the tick is due, not when the schedule was made", async () => {
      const files = { "function.js": "export default () => 2;", "manifest.json": manifest() };
      await api.publish({ name: "quick", files, config: { authz: AUTHZ }, alias: "moving" });
      await create({ name: "moving", every_seconds: 1, ref: { function: "quick", alias: "moving" } });
      await until(async () => (await ticksOf(api, "moving")).length > 0, "a tick");
      await api.expect(200, "PUT", `${api.scope()}/quick/aliases/moving`, { version: 1 });
      await until(
        async () => (await ticksOf(api, "moving")).some(({ resolved_version }) => resolved_version === 1),
        "a tick of the version the alias points to now",
      );
      await pause("moving");
      const versions = (await settled(api, "moving")).map(({ resolved_version }) => resolved_version);
      assert.deepEqual(
        versions,
        versions.toSorted((a, b) => b - a),
      );
    });

    test("metrics count the ticks of each schedule", async () => {
      const text = await (await api.call("GET", "/metrics")).text();
      assert.match(text, /cs_scheduler_ticks_total\{[^}]*schedule="each-second"[^}]*\} [5-9]/);
      assert.match(text, /cs_scheduler_ticks_left_out_total\{reason="overlap"\} [1-9]/);
      assert.match(text, /cs_scheduler_ticks_refused_total [1-9]/);
      assert.match(text, /cs_scheduler_publish_errors_total 0/);
      assert.match(text, /cs_scheduler_leader 1/);
    });
  });

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
      await settled(api, "all"),
      await settled(api, "in-turn"),
      await settled(api, "few"),
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
