import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type MockCadence, startMockCadence } from "@sous/platform/cadence-testing";
import { type Api, manifest, until } from "./api.ts";
import type { Deployed, Deployment } from "./deployments.ts";
import { skipUnlessRequired } from "./scratch.ts";

const WORKERS = "/v1/tenants/t_default/namespaces/default/cadence/workers";
const HEARTBEAT_MS = 900;

/** What functions of the suite do, by what the first argument of their activity asks for. */
const CODE = `
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  export default async (event, ctx) => {
    const [wish = {}] = event.input.args ?? [];
    if (wish.resume && event.heartbeat) return { body: JSON.stringify(event.heartbeat.args) };
    if (wish.heartbeats) for (let n = 1; n <= wish.heartbeats; n++) {
      await cs.cadence.heartbeat({ at: n });
      if (wish.every) await sleep(wish.every);
    }
    if (wish.sleep) await sleep(wish.sleep);
    if (wish.fail) throw new TypeError(wish.fail);
    if (wish.large) return { body: "x".repeat(wish.large) };
    return { trigger: ctx.trigger.type, event, attempt: ctx.attempt };
  };`;
const FILES = {
  "manifest.json": manifest({ limits: { timeoutMs: 8000, maxConcurrency: 20 } }),
  "function.js": CODE,
};
const AUTHZ = {
  invoke_http_roles: ["admin"],
  invoke_schedule_roles: [],
  invoke_cadence_roles: ["role:cadence"],
};

type Record_ = Record<string, unknown> & { status: string; activation_id: string };

/** What a platform does with the activities of Cadence, however it is run. */
export function describeCadence(deployment: Deployment): void {
  const { name, missing } = deployment;
  if (missing === undefined) describe(`activities of Cadence: ${name}`, () => suite(deployment));
  else test(`activities of Cadence: ${name}`, (context) => skipUnlessRequired(context, missing));
}

function suite(deployment: Deployment): void {
  let cadence: MockCadence;
  let deployed: Deployed;
  let api: Api;

  before(async () => {
    cadence = await startMockCadence();
    deployed = await deployment.start({
      settings: { cadence: cadence.url, cadence_refresh_seconds: 1 },
      counts: { gateway: 1, invoker: 1, scheduler: 0, cadence: 1 },
    });
    ({ api } = deployed);
    await api.deploy({ name: "work", files: FILES, config: { authz: AUTHZ } });
    await api.deploy({
      name: "short",
      files: { ...FILES, "manifest.json": manifest({ limits: { timeoutMs: 300 } }) },
      config: { authz: AUTHZ },
    });
    await api.deploy({
      name: "narrow",
      files: { ...FILES, "manifest.json": manifest({ limits: { timeoutMs: 8000, maxConcurrency: 1 } }) },
      config: { authz: AUTHZ },
    });
    await api.deploy({
      name: "closed",
      files: FILES,
      config: { authz: { ...AUTHZ, invoke_cadence_roles: [] } },
    });
  });
  after(async () => {
    await deployed[Symbol.asyncDispose]();
    await cadence[Symbol.asyncDispose]();
  });

  const work = { function: "work", alias: "prod" };
  const bind = (name: string, more: object = {}) =>
    api.expect(201, "POST", WORKERS, {
      name,
      domain: "shop",
      tasklist: name,
      worker_id: `id-${name}`,
      activity_map: { Work: work, Short: { function: "short" }, Closed: { function: "closed" } },
      pollers: { activity: 2 },
      ...more,
    });
  const schedule = (tasklist: string, wish: object = {}, more: object = {}) =>
    cadence.schedule({ tasklist, type: "Work", input: JSON.stringify(wish), ...more });
  /** A worker that is told to stop may be between two of its polls at the moment. */
  async function noMorePolls(identity: string): Promise<void> {
    let lastMs = Date.now();
    await until(() => {
      if (cadence.polling.includes(identity)) lastMs = Date.now();
      return Date.now() - lastMs > 500;
    }, "no poll");
  }
  async function recordOf(workflowId: string): Promise<Record_ | undefined> {
    const path = "/v1/tenants/t_default/activations?trigger=cadence&limit=500";
    const { items } = await api.expect<{ items: (Record_ & { trigger: { source: object } })[] }>(
      200,
      "GET",
      path,
    );
    return items.find(({ trigger }) => (trigger.source as { workflowId: string }).workflowId === workflowId);
  }
  async function endedRecord(workflowId: string): Promise<Record_> {
    let record: Record_ | undefined;
    await until(async () => {
      record = await recordOf(workflowId);
      return record !== undefined && record.status !== "queued" && record.status !== "running";
    }, `a record of ${workflowId}`);
    return record as Record_;
  }

  test("an activity becomes an activation that links back, and its result completes it", async () => {
    await bind("complete");
    const input = `{"sleep":1} "two" 3`;
    const { activity, ended } = cadence.schedule({ tasklist: "complete", type: "Work", input });
    const outcome = await ended;
    assert.equal(outcome.type, "completed", JSON.stringify(outcome));
    const { body, ...envelope } = JSON.parse(outcome.type === "completed" ? outcome.result : "") as {
      body: string;
    };
    assert.deepEqual(envelope, {
      statusCode: 200,
      headers: {},
      isBase64Encoded: false,
    });
    const cadenceFields = {
      domain: "shop",
      tasklist: "complete",
      workflowId: activity.workflowId,
      runId: activity.runId,
      activityId: activity.activityId,
      activityType: "Work",
      attempt: 0,
    };
    assert.deepEqual(JSON.parse(body), {
      trigger: "cadence",
      attempt: 1,
      event: {
        type: "cadence.activity",
        cadence: cadenceFields,
        input: { raw_base64: Buffer.from(input).toString("base64"), args: [{ sleep: 1 }, "two", 3] },
      },
    });
    const record = await endedRecord(activity.workflowId);
    assert.deepEqual(record["trigger"], {
      type: "cadence",
      source: { worker: "complete", ...cadenceFields },
    });
    assert.equal(activity.attempts[0]?.identity, "id-complete");
    assert.deepEqual(cadence.violations, []);
    assert.equal(cadence.lastHeaders?.get("rpc-caller"), "cs-cadence-poller");
    const metrics = await deployed.metrics();
    const labels = 'tenant="t_default",domain="shop",tasklist="complete"';
    assert.match(metrics, new RegExp(`cs_cadence_tasks_total\\{${labels},status="completed"\\} 1`));
    assert.match(metrics, new RegExp(`cs_cadence_polls_total\\{${labels},outcome="task"\\} 1`));
  });

  test("with result: body the workflow gets the body alone", async () => {
    await bind("body", { result: "body" });
    const outcome = await schedule("body", { large: 3 }).ended;
    assert.deepEqual(outcome, { type: "completed", result: "xxx" });
  });

  test("a thrown error and a timeout fail the activity with reasons, and Cadence alone tries again", async () => {
    await bind("failing");
    const retry = { maximumAttempts: 2, intervalMs: 20 };
    const thrown = schedule("failing", { fail: "no money" }, { retry });
    const outcome = await thrown.ended;
    assert.equal(outcome.type === "failed" && outcome.reason, "error");
    const { type, message } = JSON.parse(outcome.type === "failed" ? outcome.details : "") as {
      type: string;
      message: string;
    };
    assert.deepEqual([type, message.includes("no money")], ["Exception", true]);
    assert.equal(thrown.activity.attempts.length, 2, "one activation for each attempt of Cadence");
    const slow = await schedule("failing", { sleep: 5000 }, { type: "Short" }).ended;
    assert.equal(slow.type === "failed" && slow.reason, "timeout");
    const dead = await api.expect<{ items: unknown[] }>(
      200,
      "GET",
      "/v1/tenants/t_default/namespaces/default/dlq",
    );
    assert.deepEqual(dead.items, [], "what Cadence was told of is no dead letter");
  });

  test("what cannot be run fails with its reason, and leaves a record where a function is named", async () => {
    await bind("refused", {
      activity_map: { Work: work, Closed: { function: "closed" }, Gone: { function: "work", version: 1 } },
    });
    const reasonOf = async (type: string) => {
      const { activity, ended } = schedule("refused", {}, { type });
      const outcome = await ended;
      return [activity.workflowId, outcome.type === "failed" ? outcome.reason : outcome.type] as const;
    };
    assert.equal((await reasonOf("Unknown"))[1], "mapping_not_found");
    assert.equal((await reasonOf("constructor"))[1], "mapping_not_found");
    const [workflowId, reason] = await reasonOf("Closed");
    assert.equal(reason, "role_missing");
    const record = await endedRecord(workflowId);
    assert.deepEqual([record.status, (record["error"] as { type: string }).type], ["error", "RoleMissing"]);
  });

  test("a result over 256 KiB fails clearly, at the bound it completes", async () => {
    await bind("large", { result: "body" });
    const bound = await schedule("large", { large: 256 * 1024 }).ended;
    assert.equal(bound.type === "completed" && bound.result.length, 256 * 1024);
    const over = await schedule("large", { large: 256 * 1024 + 1 }).ended;
    assert.equal(over.type === "failed" && over.reason, "result_too_large");
    assert.match(
      over.type === "failed" ? over.details : "",
      /at most 262144 characters; keep what is larger/,
    );
  });

  test("an input of 2 MiB is taken, one byte more fails clearly", async () => {
    await bind("input", { result: "body" });
    const bytes = 2 * 1024 * 1024;
    const inputOf = (length: number) => `{"large":1}${" ".repeat(length - 11)}`;
    const bound = await schedule("input", {}, { input: inputOf(bytes) }).ended;
    assert.deepEqual(bound, { type: "completed", result: "x" });
    const over = await schedule("input", {}, { input: inputOf(bytes + 1) }).ended;
    assert.equal(over.type === "failed" && over.reason, "input_too_large");
  });

  test("heartbeats go by themselves while an activity is at work", async () => {
    await bind("beating");
    const { activity, ended } = schedule(
      "beating",
      { sleep: 3 * HEARTBEAT_MS },
      { heartbeatMs: HEARTBEAT_MS },
    );
    const outcome = await ended;
    assert.equal(outcome.type, "completed", JSON.stringify(outcome));
    assert.ok((activity.attempts[0]?.heartbeats.length ?? 0) >= 3);
  });

  test("heartbeats go by themselves while an activity waits for its turn, too", async () => {
    await bind("queued", { activity_map: { Work: { function: "narrow", alias: "prod" } } });
    const more = { heartbeatMs: HEARTBEAT_MS, startToCloseMs: 30_000 };
    const first = schedule("queued", { sleep: 6000 }, more);
    await until(
      async () => (await recordOf(first.activity.workflowId))?.status === "running",
      "the first to run",
    );
    const second = schedule("queued", {}, more);
    const beats = () => second.activity.attempts[0]?.heartbeats.length ?? 0;
    await until(() => beats() >= 3, "three heartbeats");
    assert.equal((await recordOf(second.activity.workflowId))?.status, "queued", "it has not begun");
    for (const { activity, ended } of [first, second]) {
      const outcome = await ended;
      assert.deepEqual([outcome.type, activity.attempts.length], ["completed", 1], JSON.stringify(outcome));
    }
  });

  test("an alias that moves, forwards or back, moves what the next activity runs", async () => {
    const files = (text: string) => ({
      ...FILES,
      "function.js": `export default () => ({ body: "${text}" });`,
    });
    const source = (text: string) => ({ name: "moving", files: files(text), config: { authz: AUTHZ } });
    await api.deploy(source("first"));
    await bind("moving", {
      activity_map: { Work: { function: "moving", alias: "prod" } },
      result: "body",
    });
    const runs = async (text: string): Promise<boolean> => {
      const outcome = await schedule("moving").ended;
      return outcome.type === "completed" && outcome.result === text;
    };
    assert.ok(await runs("first"));
    await api.publish(source("second"));
    await until(() => runs("second"), "the second version", 5000);
    await api.expect(200, "PUT", `${api.scope()}/moving/aliases/prod`, { version: 1 });
    await until(() => runs("first"), "the first version again", 5000);
    assert.ok(await runs("first"), "and stays there");
  });

  test("heartbeats of a function reach Cadence, no more than two a second, the last one for certain", async () => {
    await bind("progress");
    const begun = Date.now();
    const wish = { heartbeats: 40, every: 40, sleep: 1200 };
    const { activity, ended } = schedule("progress", wish, { heartbeatMs: 30_000 });
    const outcome = await ended;
    assert.equal(outcome.type, "completed", JSON.stringify(outcome));
    const seconds = (Date.now() - begun) / 1000;
    const beats = activity.attempts[0]?.heartbeats ?? [];
    assert.ok(beats.length >= 2 && beats.length <= 2 * seconds + 1, `${beats.length} in ${seconds} s`);
    assert.equal(beats.at(-1)?.details, '{"at":40}');
  });

  test("what the last heartbeat of a failed attempt said is in the event of the next", async () => {
    await bind("resume", { result: "body" });
    const retry = { maximumAttempts: 2, intervalMs: 20 };
    const more = { heartbeatMs: 30_000, startToCloseMs: 1500, retry };
    const { activity, ended } = schedule("resume", { heartbeats: 3, sleep: 6000, resume: true }, more);
    assert.deepEqual(await ended, { type: "completed", result: '[{"at":3}]' });
    assert.equal(activity.attempts.length, 2);
    assert.deepEqual(activity.attempts[0]?.outcome, { type: "timedOut", timeout: "startToClose" });
  });

  test("a wish of the workflow to end early ends the activation, and is answered", async () => {
    await bind("cancel");
    const { activity, ended } = schedule("cancel", { sleep: 7000 }, { heartbeatMs: HEARTBEAT_MS });
    await until(() => (activity.attempts[0]?.heartbeats.length ?? 0) > 0, "a heartbeat");
    activity.requestCancel();
    const outcome = await ended;
    assert.equal(outcome.type, "cancelled", JSON.stringify(outcome));
    assert.equal((await endedRecord(activity.workflowId)).status, "cancelled");
  });

  test("when nobody waits any more the activation is ended and its place is free", async () => {
    await bind("gone", { limits: { max_inflight_tasks: 1 } });
    const left = schedule("gone", { sleep: 7000 }, { heartbeatMs: HEARTBEAT_MS });
    await until(() => (left.activity.attempts[0]?.heartbeats.length ?? 0) > 0, "a heartbeat");
    left.activity.terminate();
    const next = await schedule("gone", {}).ended;
    assert.equal(next.type, "completed");
    assert.equal((await endedRecord(left.activity.workflowId)).status, "cancelled");
  });

  test("no more than max_inflight_tasks are taken at once, and all of them run", async () => {
    await bind("bounded", { limits: { max_inflight_tasks: 3 }, pollers: { activity: 8 } });
    const all = Array.from({ length: 12 }, () => schedule("bounded", { sleep: 150 }));
    let peak = 0;
    const watch = setInterval(() => {
      const open = all.filter(
        ({ activity }) => activity.attempts.length > 0 && activity.outcome === undefined,
      );
      peak = Math.max(peak, open.length);
    }, 5);
    const outcomes = await Promise.all(all.map(({ ended }) => ended));
    clearInterval(watch);
    assert.ok(outcomes.every(({ type }) => type === "completed"));
    assert.ok(peak <= 3, `${peak} at once`);
  });

  test("a paused worker takes nothing, resumed it goes on; deleted it is gone", async () => {
    await bind("pausing");
    assert.equal((await schedule("pausing").ended).type, "completed");
    await api.expect(200, "PATCH", `${WORKERS}/pausing`, { enabled: false });
    await noMorePolls("id-pausing");
    const waiting = schedule("pausing");
    await sleep(300);
    assert.equal(waiting.activity.attempts.length, 0);
    await api.expect(200, "PATCH", `${WORKERS}/pausing`, { enabled: true });
    assert.equal((await waiting.ended).type, "completed");
    await api.expect(200, "DELETE", `${WORKERS}/pausing`);
    await noMorePolls("id-pausing");
  });

  test("a worker is changed under load and no activity is lost", async () => {
    await bind("changing", { pollers: { activity: 4 } });
    const all: ReturnType<typeof schedule>[] = [];
    for (let round = 0; round < 8; round++) {
      for (let n = 0; n < 10; n++) {
        const retry = { maximumAttempts: 3, intervalMs: 20 };
        all.push(schedule("changing", { sleep: 20 }, { startToCloseMs: 3000, retry }));
      }
      const change = { worker_id: `id-changing-${round}`, pollers: { activity: 1 + (round % 4) } };
      await api.expect(200, "PATCH", `${WORKERS}/changing`, change);
      await sleep(60);
    }
    const outcomes = await Promise.all(all.map(({ ended }) => ended));
    assert.equal(outcomes.filter(({ type }) => type === "completed").length, all.length);
    await until(() => cadence.polling.includes("id-changing-7"), "polls of the last change");
  });

  test("while the server is away nothing is lost and no storm comes, and it goes on by itself", async () => {
    await bind("away");
    const running = schedule("away", { sleep: 1000 });
    await until(() => running.activity.attempts.length === 1, "a taken task");
    await cadence.down();
    await sleep(2500);
    await cadence.up();
    const outcome = await running.ended;
    assert.equal(outcome.type, "completed", "answered when the server was back");
    assert.equal((await schedule("away").ended).type, "completed");
    const metrics = await deployed.metrics();
    const errors = Number(
      /cs_cadence_errors_total\{code="CS_CADENCE_POLL_FAILED"\} (\d+)/.exec(metrics)?.[1],
    );
    assert.ok(errors > 0 && errors < 400, `${errors} failed polls`);
  });
}
