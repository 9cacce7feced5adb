import assert from "node:assert/strict";
import { test } from "node:test";
import type { ActivationRecord, ReadyReply } from "@sous/contract";
import { startMockCadence } from "@sous/platform/cadence-testing";
import { missingRedis, startRedis } from "@sous/store/testing";
import { createApi, manifest, until } from "../support/api.ts";
import { createEventApi } from "../support/event-api.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";

const NAMESPACE = "/v1/tenants/t_default/namespaces/default";
const TOPIC = "combined";
const FILES = {
  "manifest.json": manifest({
    limits: { timeoutMs: 10_000 },
    capabilities: { codeq: { publishTopics: [TOPIC] } },
  }),
  "function.js": `export default async (event, ctx) => {
    const { n, waitMs = 0, isTold = false } = event.input?.args[0] ?? event;
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    if (isTold) await cs.codeq.publish("${TOPIC}", { n });
    return { body: ctx.trigger.type + n };
  };`,
};
const AUTHZ = {
  invoke_http_roles: ["admin"],
  invoke_schedule_roles: ["role:worker"],
  invoke_cadence_roles: ["role:cadence"],
};
const ref = { function: "work", alias: "prod" };

test("processes with two roles each do together what one process does, and end as each role has to", async (context) => {
  const missing = missingRedis();
  if (missing !== undefined) {
    skipUnlessRequired(context, missing);
    return;
  }
  await using redis = await startRedis();
  await using cadence = await startMockCadence();
  using data = scratchFolder();
  const start = (role: string[]) =>
    startServer({
      settings: {
        role,
        data: data.path,
        store: redis.url,
        codeq: redis.url,
        secrets_key: [Buffer.alloc(32, 7).toString("base64")],
        cadence: cadence.url,
        cadence_refresh_seconds: 1,
        event_source_refresh_seconds: 1,
      },
    });
  await using stack = new AsyncDisposableStack();
  const managing = stack.use(await start(["control", "cadence"]));
  const running = stack.use(await start(["gateway", "invoker"]));
  const reading = stack.use(await start(["scheduler", "event-sources"]));
  const api = createApi(managing.url, undefined, [running.url]);
  const events = createEventApi(api);

  for (const [{ url }, names] of [
    [managing, ["store", "codeq"]],
    [running, ["store", "codeq", "sandbox"]],
    [reading, ["store", "codeq"]],
  ] as const) {
    const response = await fetch(`${url}/readyz`);
    const { status, checks } = (await response.json()) as ReadyReply;
    assert.deepEqual([response.status, status, Object.keys(checks)], [200, "ready", names]);
  }
  const elsewhere = await (await fetch(`${running.url}${api.scope()}/work`)).text();
  assert.match(elsewhere, /this process is gateway,invoker; ask the control plane/);

  await events.deploySeen("seen");
  await events.create({
    name: TOPIC,
    type: "codeq",
    codeq: { topic: TOPIC },
    ref: { ...ref, function: "seen" },
  });
  await api.deploy({ name: "work", files: FILES, config: { authz: AUTHZ } });
  await api.expect(201, "POST", `${NAMESPACE}/schedules`, {
    name: "each",
    every_seconds: 1,
    ref,
    payload: { n: 3 },
  });
  await api.expect(201, "POST", `${NAMESPACE}/cadence/workers`, {
    name: "orders",
    domain: "shop",
    tasklist: "orders",
    worker_id: "orders",
    activity_map: { Work: ref },
    result: "body",
  });

  assert.equal((await api.invoke("work", { n: 1 })).result?.body, "api1");
  const queued = await api.enqueue("work", { n: 2, isTold: true });
  assert.equal(queued.status, 202);
  const seen = await events.seen(TOPIC, 1, 30_000);
  assert.deepEqual(
    seen.map(({ body }) => body.n),
    [2],
  );
  const tick = async (): Promise<ActivationRecord | undefined> => {
    const path = "/v1/tenants/t_default/activations?trigger=schedule&status=success";
    return (await api.expect<{ items: ActivationRecord[] }>(200, "GET", path)).items[0];
  };
  await until(async () => (await tick())?.result?.body === "schedule3", "a tick");
  const schedule = (wish: object) =>
    cadence.schedule({
      tasklist: "orders",
      type: "Work",
      input: JSON.stringify(wish),
      startToCloseMs: 60_000,
    });
  assert.deepEqual(await schedule({ n: 4 }).ended, { type: "completed", result: "cadence4" });

  // A gateway waits for what its own invoker runs; what it had begun is answered, and nothing is begun twice.
  const call = api.invoke("work", { n: 5, waitMs: 1500 });
  const { activity, ended } = schedule({ n: 6, waitMs: 1500 });
  await until(() => activity.attempts.length === 1, "the task to be taken");
  const isRunning = /cs_invoker_inflight(\{[^}]*\})? [2-9]/;
  await until(
    async () => isRunning.test(await (await fetch(`${running.url}/metrics`)).text()),
    "both to run",
  );
  process.kill(running.pid, "SIGTERM");
  process.kill(managing.pid, "SIGTERM");
  assert.equal((await call).result?.body, "api5");
  await Promise.all([running.ended, managing.ended]);
  stack.use(await start(["cadence", "control"]));
  assert.deepEqual(await ended, { type: "completed", result: "cadence6" });
  assert.equal(activity.attempts.length, 1);
});
