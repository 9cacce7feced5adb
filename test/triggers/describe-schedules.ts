import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ActivationRecord, RunScheduleReply, ScheduleReply } from "@sous/contract";
import { type Api, manifest, until } from "../support/api.ts";
import type { Deployed, Deployment } from "../support/deployments.ts";
import { reportProgress } from "../support/progress.ts";
import { runCs } from "../support/run-cs.ts";
import { skipUnlessRequired } from "../support/scratch.ts";
import { assertApart, assertConsecutive, settledTicks, sourceOf, ticksOf } from "../support/ticks.ts";

/** So many ticks of a second are so many activations; `SOUS_TEST_SCHEDULE_SECONDS=60` shows a minute of them. */
const SECONDS = Number(process.env["SOUS_TEST_SCHEDULE_SECONDS"] ?? 15);
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
const REF = { function: "quick", alias: "prod" };

/** From a moment of a schedule to the record of its run, however the platform is run. */
export function describeSchedules(deployment: Deployment): void {
  const { name, missing } = deployment;
  if (missing === undefined) describe(`schedules: ${name}`, () => suite(deployment));
  else test(`schedules: ${name}`, (context) => skipUnlessRequired(context, missing));
}

function suite(deployment: Deployment): void {
  let deployed: Deployed;
  let api: Api;
  let made: ScheduleReply;

  const create = (body: object): Promise<ScheduleReply> => api.expect(201, "POST", SCHEDULES, body);
  const pause = (name: string): Promise<ScheduleReply> =>
    api.expect(200, "PATCH", `${SCHEDULES}/${name}`, { enabled: false });

  before(async () => {
    deployed = await deployment.start({ counts: { gateway: 1, invoker: 1, scheduler: 2 } });
    ({ api } = deployed);
    const files = (code: string) => ({ "function.js": code, "manifest.json": manifest() });
    await api.deploy({ name: "quick", files: files(QUICK), config: { authz: AUTHZ } });
    await api.deploy({ name: "slow", files: files(SLOW), config: { authz: AUTHZ } });
    await api.deploy({ name: "closed", files: files(QUICK) });
    // They run while the other tests do, and are looked at when those are through.
    const ticking = { overlap_policy: "parallel", ref: REF, payload: { n: 7 } };
    made = await create({ ...ticking, name: "each-second", every_seconds: 1 });
    const cron = "*/2 * * * * *";
    await create({ ...ticking, name: "by-cron", cron, timezone: "Europe/Berlin" });
  });
  after(async () => await deployed[Symbol.asyncDispose]());

  test("skip never runs two at a time, queue runs all one by one, parallel runs them beside each other", async () => {
    const slow = { every_seconds: 1, ref: { function: "slow", alias: "prod" }, payload: { ms: 1700 } };
    await create({ ...slow, name: "skipping", overlap_policy: "skip" });
    await create({ ...slow, name: "queueing", overlap_policy: "queue" });
    await create({ ...slow, name: "beside", overlap_policy: "parallel" });
    await sleep(6500);
    for (const name of ["skipping", "queueing", "beside"]) await pause(name);
    const [skipped, queued, parallel] = [
      await settledTicks(api, "skipping"),
      await settledTicks(api, "queueing"),
      await settledTicks(api, "beside"),
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
    await until(async () => (await api.activation(run.activation_id)).status === "success", "the run to end");
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
    const versions = (await settledTicks(api, "moving")).map(({ resolved_version }) => resolved_version);
    assert.deepEqual(
      versions,
      versions.toSorted((a, b) => b - a),
    );
  });

  test(
    "so many ticks are so many activations, each with the payload, its moment and the scheduler's name",
    { timeout: (SECONDS + 120) * 1000 },
    async () => {
      using _progress = reportProgress(() => `ticks of ${SECONDS} s`);
      await sleep(Math.max(0, made.created_at_ms + SECONDS * 1000 + 500 - Date.now()));
      await until(async () => (await ticksOf(api, "each-second")).length >= SECONDS, `${SECONDS} ticks`);
      const paused = [await pause("each-second"), await pause("by-cron")];
      const [ticks, byCron] = [await settledTicks(api, "each-second"), await settledTicks(api, "by-cron")];
      // The pause took a number.
      assert.deepEqual(
        [ticks.length, byCron.length],
        paused.map(({ tick_seq }) => tick_seq - 2),
      );
      assertConsecutive(ticks, 1000);
      assertConsecutive(byCron, 2000);
      assert.equal(sourceOf(ticks[0] as ActivationRecord).due_ms, made.created_at_ms + 1000);
      for (const tick of byCron) assert.equal(sourceOf(tick).due_ms % 2000, 0, "as the expression says");
      for (const tick of [...ticks, ...byCron]) {
        const expected = { event: { n: 7 }, type: "schedule", sub: "sp:cs-scheduler" };
        assert.equal(tick.result?.body, JSON.stringify(expected));
        assert.deepEqual([tick.mode, tick.resolved_version, tick.ref.alias], ["async", 1, "prod"]);
      }
      const listed = await runCs(api.url, ["schedule", "list"]);
      assert.match(listed.stdout, /"name":"each-second".*"next_tick_ms":null/);
    },
  );

  test("metrics count the ticks of each schedule", async () => {
    const text = await deployed.metrics();
    assert.match(text, /cs_scheduler_ticks_total\{[^}]*schedule="each-second"[^}]*\} \d+/);
    assert.match(text, /cs_scheduler_ticks_left_out_total\{reason="overlap"\} [1-9]/);
    assert.match(text, /cs_scheduler_ticks_refused_total [1-9]/);
    assert.match(text, /cs_scheduler_publish_errors_total 0/);
    assert.match(text, /cs_scheduler_leader 1/);
  });
}
