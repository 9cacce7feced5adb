import assert from "node:assert/strict";
import test from "node:test";
import {
  type ActivationRecord,
  type ErrorReply,
  LIMITS,
  type RunScheduleReply,
  type SchedulePage,
  type ScheduleReply,
  TOPICS,
} from "@sous/contract";
import { deploy } from "./testing/sample-function.ts";
import { startControl } from "./testing/start-control.ts";

const SCHEDULES = "/v1/tenants/t_default/namespaces/default/schedules";
const HELLO = { function: "hello", alias: "prod" };
const AUTHZ = {
  authz: { invoke_http_roles: [], invoke_schedule_roles: ["role:worker"], invoke_cadence_roles: [] },
};
const minutely = {
  name: "minutely",
  every_seconds: 60,
  overlap_policy: "queue",
  ref: HELLO,
  payload: { a: 1 },
};

const outcome = ({ status, body }: { status: number; body: unknown }) => [
  status,
  (body as ErrorReply).error.code,
];

async function startWithHello(config: object = AUTHZ) {
  const control = await startControl();
  await deploy(control, "hello", config, "prod");
  return control;
}

test("a schedule is created with its defaults, its first tick an interval away, and told when it runs", async () => {
  await using control = await startWithHello();
  const { nowMs } = control.state;
  const made = await control.call<ScheduleReply>("POST", SCHEDULES, minutely);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const { uid, ...shown } = made.body;
  assert.match(uid, /^[0-9a-f-]{36}$/);
  assert.deepEqual(shown, {
    tenant: "t_default",
    namespace: "default",
    ...minutely,
    enabled: true,
    jitter_seconds: 0,
    max_catchup_ticks: 60,
    generation: 1,
    created_at_ms: nowMs,
    updated_at_ms: nowMs,
    tick_seq: 1,
    next_tick_ms: nowMs + 60_000,
    inflight: null,
    next_runs: [1, 2, 3, 4, 5].map((n) => nowMs + n * 60_000),
    warnings: [],
  });
  const read = await control.call<ScheduleReply>("GET", `${SCHEDULES}/minutely`);
  assert.deepEqual(read.body, made.body);
  const list = await control.call<SchedulePage>("GET", SCHEDULES);
  const { next_runs, warnings, ...item } = made.body;
  assert.deepEqual([list.body, next_runs.length, warnings], [{ items: [item], next_cursor: null }, 5, []]);
  assert.match(control.lines.join("\n"), /"type":"ScheduleCreated".*"every_seconds":60/);
  assert.deepEqual(outcome(await control.call("POST", SCHEDULES, minutely)), [409, "CS_CONFLICT"]);
});

test("cron takes a time zone, UTC where none is given", async () => {
  await using control = await startWithHello();
  control.state.nowMs = Date.parse("2027-10-30T12:00:00Z");
  const cron = { name: "nightly", cron: "30 2 * * *", ref: HELLO };
  const paris = await control.call<ScheduleReply>("POST", SCHEDULES, { ...cron, timezone: "Europe/Paris" });
  assert.deepEqual(
    paris.body.next_runs.slice(0, 2).map((ms) => new Date(ms).toISOString()),
    ["2027-10-31T00:30:00.000Z", "2027-11-01T01:30:00.000Z"],
  );
  const utc = await control.call<ScheduleReply>("POST", SCHEDULES, { ...cron, name: "nightly-utc" });
  assert.equal(utc.body.timezone, "UTC");
  assert.equal(new Date(utc.body.next_runs[0] ?? 0).toISOString(), "2027-10-31T02:30:00.000Z");
});

test("a change starts the schedule again from now, with the next number", async () => {
  await using control = await startWithHello();
  await control.call("POST", SCHEDULES, minutely);
  control.state.nowMs += 45_000;
  const { nowMs } = control.state;
  const patch = (body: object) => control.call<ScheduleReply>("PATCH", `${SCHEDULES}/minutely`, body);
  const changed = (await patch({ payload: { b: 2 } })).body;
  assert.deepEqual([changed.generation, changed.tick_seq, changed.next_tick_ms], [2, 2, nowMs + 60_000]);
  assert.deepEqual([changed.payload, changed.every_seconds], [{ b: 2 }, 60]);
  const cron = (await patch({ cron: "*/5 * * * *", timezone: "Asia/Tokyo" })).body;
  assert.deepEqual([cron.every_seconds, cron.cron, cron.timezone], [undefined, "*/5 * * * *", "Asia/Tokyo"]);
  assert.equal((await patch({ timezone: "UTC" })).body.timezone, "UTC");
  const back = (await patch({ every_seconds: 10 })).body;
  assert.deepEqual([back.cron, back.timezone, back.every_seconds], [undefined, undefined, 10]);
  assert.deepEqual(outcome(await patch({})), [400, "CS_VALIDATION_FAILED"]);
  const missing = await control.call("PATCH", `${SCHEDULES}/missing`, { enabled: false });
  assert.deepEqual(outcome(missing), [404, "CS_NOT_FOUND"]);
});

test("a paused schedule has no next run until it is resumed, which is from now", async () => {
  await using control = await startWithHello();
  await control.call("POST", SCHEDULES, minutely);
  const patch = (enabled: boolean) =>
    control.call<ScheduleReply>("PATCH", `${SCHEDULES}/minutely`, { enabled });
  const paused = (await patch(false)).body;
  assert.deepEqual([paused.next_tick_ms, paused.next_runs], [null, []]);
  control.state.nowMs += 3_600_000;
  assert.equal((await patch(true)).body.next_tick_ms, control.state.nowMs + 60_000);
});

test("a deleted schedule is gone", async () => {
  await using control = await startWithHello();
  await control.call("POST", SCHEDULES, minutely);
  const gone = await control.call("DELETE", `${SCHEDULES}/minutely`);
  assert.deepEqual([gone.status, gone.body], [200, { status: "deleted" }]);
  for (const method of ["GET", "DELETE"]) {
    assert.deepEqual(outcome(await control.call(method, `${SCHEDULES}/minutely`)), [404, "CS_NOT_FOUND"]);
  }
});

test("what is not valid is refused with its code", async () => {
  await using control = await startWithHello();
  const { name, ref } = minutely;
  const bad: [object, number, string][] = [
    [{ name, ref }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref, every_seconds: 1, cron: "* * * * *" }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref, every_seconds: 1, timezone: "UTC" }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref, every_seconds: 0 }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref, every_seconds: 86_401 }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref, every_seconds: 1.5 }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref, cron: "61 * * * *" }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref, cron: "0 0 30 2 *" }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref, cron: "* * * * *", timezone: "Mars/Base" }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref, every_seconds: 1, overlap_policy: "often" }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref, every_seconds: 1, max_catchup_ticks: 61 }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref, every_seconds: 1, jitter_seconds: 3601 }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref, every_seconds: 1, interval: 5 }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref: { ...ref, version: 1 }, every_seconds: 1 }, 400, "CS_VALIDATION_FAILED"],
    [{ name, ref: { function: "nobody" }, every_seconds: 1 }, 404, "CS_NOT_FOUND"],
    [{ name, ref: { function: "hello", alias: "none" }, every_seconds: 1 }, 404, "CS_NOT_FOUND"],
  ];
  for (const [body, status, code] of bad) {
    const answer = await control.call("POST", SCHEDULES, body);
    assert.deepEqual(outcome(answer), [status, code], JSON.stringify(body));
  }
  const short = await control.call("POST", SCHEDULES, { name: "Ab", ref, every_seconds: 1 });
  assert.equal(short.status, 400);
});

test("a payload of 256 KiB is taken, one byte more is 413", async () => {
  await using control = await startWithHello();
  const post = (payload: unknown, name: string) =>
    control.call("POST", SCHEDULES, { ...minutely, name, payload });
  const bytes = LIMITS.schedulePayloadBytesMax - 2;
  assert.equal((await post("x".repeat(bytes), "large")).status, 201);
  assert.deepEqual(outcome(await post("x".repeat(bytes + 1), "larger")), [413, "CS_PAYLOAD_TOO_LARGE"]);
});

test("a version that lets no schedule run it is told of, at once and later", async () => {
  await using control = await startWithHello({});
  const made = await control.call<ScheduleReply>("POST", SCHEDULES, minutely);
  assert.match(made.body.warnings.join(), /lets no schedule run it.*role:worker/);
  await control.call("DELETE", "/v1/tenants/t_default/namespaces/default/functions/hello");
  const read = await control.call<ScheduleReply>("GET", `${SCHEDULES}/minutely`);
  assert.match(read.body.warnings.join(), /ticks fail: there is no function/);
  const paused = await control.call<ScheduleReply>("PATCH", `${SCHEDULES}/minutely`, { enabled: false });
  assert.equal(paused.status, 200, "what runs nothing any more can still be paused");
});

test("run now queues an activation that says who wanted it, and leaves the ticks alone", async () => {
  await using control = await startWithHello();
  const made = await control.call<ScheduleReply>("POST", SCHEDULES, { ...minutely, enabled: false });
  const run = await control.call<RunScheduleReply>("POST", `${SCHEDULES}/minutely:run`);
  assert.deepEqual([run.status, run.body.status], [202, "queued"]);
  const path = `/v1/tenants/t_default/activations/${run.body.activation_id}`;
  const { trigger, status, mode, principal } = (await control.call<ActivationRecord>("GET", path)).body;
  assert.deepEqual(trigger, { type: "schedule", source: { schedule: "minutely", run_now_by: "anonymous" } });
  assert.deepEqual([status, mode, principal.sub], ["queued", "async", "sp:cs-scheduler"]);
  const [depth] = await control.codeq.depth(TOPICS.invoke);
  assert.deepEqual([depth?.lane, depth?.ready], ["default/hello", 1]);
  const after = await control.call<ScheduleReply>("GET", `${SCHEDULES}/minutely`);
  assert.deepEqual(after.body, made.body);
});

test("run now of what may not run is refused with the reason, and recorded", async () => {
  await using control = await startWithHello({});
  await control.call("POST", SCHEDULES, minutely);
  const run = await control.call<ErrorReply>("POST", `${SCHEDULES}/minutely:run`);
  assert.deepEqual(outcome(run), [403, "CS_AUTHZ_ROLE_MISSING"]);
  const id = String(run.body.error.details?.["activation_id"]);
  const record = (await control.call<ActivationRecord>("GET", `/v1/tenants/t_default/activations/${id}`))
    .body;
  assert.deepEqual([record.status, record.error?.type, record.resolved_version], ["error", "RoleMissing", 1]);
});
