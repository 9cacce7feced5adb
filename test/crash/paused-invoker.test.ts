import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { missingRedis, startProxy, startRedis } from "@sous/store/testing";
import { manifest, until } from "../support/api.ts";
import { startCluster } from "../support/cluster.ts";
import { isTerminal } from "../support/history.ts";
import { noteRun, notesAllowed, startRunNotes } from "../support/run-notes.ts";
import { skipUnlessRequired } from "../support/scratch.ts";
import type { TestServer } from "../support/server.ts";
import { startWebhookReceiver } from "../support/webhook-receiver.ts";

const LEASE_MS = 2000;
const SECRET = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;
const missing = missingRedis();

test("an invoker that stood still past its lease tells nobody an end that is not the record's", async (context) => {
  if (missing !== undefined) return skipUnlessRequired(context, missing);
  await using redis = await startRedis();
  await using receiver = await startWebhookReceiver(SECRET);
  await using notes = await startRunNotes();
  await using cluster = await startCluster({
    store: redis.url,
    codeq: redis.url,
    counts: { gateway: 1, invoker: 1, scheduler: 0 },
    settings: { "limits.invocation_lease_ms": LEASE_MS, "egress.private_allow": ["127.0.0.1/32"] },
  });
  const { api, processes } = cluster;
  const code = `export default async ({ waitMs }, ctx) => {
    ${noteRun(notes)}
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    return { attempt: ctx.attempt };
  };`;
  const limits = { timeoutMs: 30_000 };
  const files = {
    "function.js": code,
    "manifest.json": manifest({ capabilities: notesAllowed(notes), limits }),
  };
  await api.expect(200, "PUT", "/v1/tenants/t_default/namespaces/default/secrets/hook", { value: SECRET });
  const on_success = { webhook: { url: `${receiver.url}/end`, secret: "hook" } };
  await api.deploy({ name: "work", files, config: { on_success } });
  const toldOf = (id: string) => receiver.received.filter((each) => each.id === `dst_${id}`);
  const attemptsOf = (id: string): number[] => (notes.runs.get(id) ?? []).map(({ attempt }) => attempt);

  const [first] = processes.invoker;
  assert.ok(first);
  const answer = await api.enqueue("work", { waitMs: 1000 });
  const { activation_id: id } = (await answer.json()) as { activation_id: string };
  await until(() => attemptsOf(id).length === 1, "the first attempt");
  // Its sandbox goes on: the outcome waits for it when it wakes up.
  process.kill(first.pid, "SIGSTOP");
  let second: TestServer | undefined;
  try {
    second = await cluster.start("invoker");
    await until(() => toldOf(id).length === 1, "another invoker to run it and tell its end", 30_000);
  } finally {
    process.kill(first.pid, "SIGCONT");
  }
  const record = await api.activation(id);
  assert.deepEqual([record.status, record["attempt"]], ["success", 2]);

  await until(async () => {
    const metrics = await (await fetch(`${first.url}/metrics`)).text();
    return /^cs_invoker_inflight 0$/m.test(metrics);
  }, "the first attempt to end as well");
  // What it is given now comes after whatever it had to say of the other.
  await second[Symbol.asyncDispose]();
  const next = await api.enqueue("work", { waitMs: 0 });
  const { activation_id: nextId } = (await next.json()) as { activation_id: string };
  await until(() => toldOf(nextId).length === 1, "it to go on", 30_000);
  await sleep(500);
  assert.deepEqual(
    toldOf(id).map(({ event }) => [
      event["requestContext"]?.["approximateInvokeCount"],
      event.responsePayload,
    ]),
    [[2, { attempt: 2 }]],
  );
  assert.deepEqual(await api.activation(id), record);
  assert.deepEqual(attemptsOf(id), [1, 2]);
});

test("an invoker that hears of its work when the lease has run out does not begin it", async (context) => {
  if (missing !== undefined) return skipUnlessRequired(context, missing);
  await using redis = await startRedis();
  await using proxy = await startProxy(redis.port);
  await using notes = await startRunNotes();
  await using cluster = await startCluster({
    store: redis.url,
    codeq: redis.url,
    counts: { gateway: 1, invoker: 0, scheduler: 0 },
    settings: { "limits.invocation_lease_ms": 1000, "egress.private_allow": ["127.0.0.1/32"] },
  });
  await cluster.start("invoker", { codeq: `redis://127.0.0.1:${proxy.port}` });
  const { api } = cluster;
  const files = {
    "function.js": `export default async (event, ctx) => { ${noteRun(notes)} };`,
    "manifest.json": manifest({ capabilities: notesAllowed(notes) }),
  };
  await api.deploy({ name: "once", files });
  const runsOf = (id: string): number[] => (notes.runs.get(id) ?? []).map(({ attempt }) => attempt);
  const enqueue = async (): Promise<string> => {
    const answer = await api.enqueue("once", null);
    return ((await answer.json()) as { activation_id: string }).activation_id;
  };
  const before = await enqueue();
  await until(() => runsOf(before).length === 1, "it to run what it hears of");

  const other = await cluster.start("invoker");
  process.kill(other.pid, "SIGSTOP");
  let id = "";
  try {
    // It asks for work once a second at the least, and is given some; the answer is held up.
    proxy.partition("answers");
    id = await enqueue();
    await sleep(1500);
  } finally {
    process.kill(other.pid, "SIGCONT");
  }
  await until(async () => (await api.activation(id)).status === "success", "another one to run it", 30_000);
  assert.equal(runsOf(id).length, 1);
  // Before it gives up its connection and what was sent on it.
  proxy.partition(undefined);
  await other[Symbol.asyncDispose]();
  const after = await enqueue();
  await until(() => runsOf(after).length === 1, "the first one to go on", 30_000);
  await sleep(1000);
  assert.equal(runsOf(id).length, 1);
});

test("an attempt after a lost lease begins only where the one before it has not ended meanwhile", async (context) => {
  if (missing !== undefined) return skipUnlessRequired(context, missing);
  await using redis = await startRedis();
  await using proxy = await startProxy(redis.port);
  await using notes = await startRunNotes();
  await using cluster = await startCluster({
    store: redis.url,
    codeq: redis.url,
    counts: { gateway: 1, invoker: 1, scheduler: 0 },
    settings: { "limits.invocation_lease_ms": LEASE_MS, "egress.private_allow": ["127.0.0.1/32"] },
  });
  const { api, processes } = cluster;
  const code = `export default async (event, ctx) => {
    ${noteRun(notes)}
    await new Promise((resolve) => setTimeout(resolve, 300));
    return ctx.attempt;
  };`;
  const limits = { timeoutMs: 30_000 };
  const files = {
    "function.js": code,
    "manifest.json": manifest({ capabilities: notesAllowed(notes), limits }),
  };
  await api.deploy({ name: "once", files });
  const attemptsOf = (id: string): number[] => (notes.runs.get(id) ?? []).map(({ attempt }) => attempt);
  const [first] = processes.invoker;
  assert.ok(first);
  const answer = await api.enqueue("once", null);
  const { activation_id: id } = (await answer.json()) as { activation_id: string };
  await until(() => attemptsOf(id).length === 1, "the first attempt");
  process.kill(first.pid, "SIGSTOP");
  let second: TestServer;
  let isRead = false;
  try {
    // It has read that the first attempt runs, and gets no further before that attempt has ended.
    proxy.onAnswer = (chunk) => {
      if (chunk.includes(id) && chunk.includes('"running"')) {
        isRead = true;
        proxy.partition("requests");
      }
      return false;
    };
    second = await cluster.start("invoker", { store: `redis://127.0.0.1:${proxy.port}` });
    await until(() => isRead, "another invoker to be given it", 30_000);
  } finally {
    process.kill(first.pid, "SIGCONT");
  }
  await until(async () => (await api.activation(id)).status === "success", "the first attempt to end");
  proxy.onAnswer = undefined;
  proxy.partition(undefined);
  await until(async () => {
    const metrics = await (await fetch(`${second.url}/metrics`)).text();
    return /^cs_invoker_inflight 0$/m.test(metrics);
  }, "the other one to let go of it");
  await sleep(500);
  assert.deepEqual(attemptsOf(id), [1]);
  assert.equal((await api.activation(id))["attempt"], 1);
});

test("a store that is away costs work none of its attempts", async (context) => {
  if (missing !== undefined) return skipUnlessRequired(context, missing);
  await using redis = await startRedis();
  await using proxy = await startProxy(redis.port);
  await using notes = await startRunNotes();
  await using cluster = await startCluster({
    store: redis.url,
    codeq: redis.url,
    counts: { gateway: 1, invoker: 0, scheduler: 0 },
    settings: { "egress.private_allow": ["127.0.0.1/32"] },
  });
  await cluster.start("invoker", { store: `redis://127.0.0.1:${proxy.port}` });
  const { api } = cluster;
  const code = `export default async (event, ctx) => {
    ${noteRun(notes)}
    await new Promise((resolve) => setTimeout(resolve, 300));
    if (ctx.attempt === 1) throw new Error("not yet");
    return ctx.attempt;
  };`;
  const files = { "function.js": code, "manifest.json": manifest({ capabilities: notesAllowed(notes) }) };
  await api.deploy({ name: "twice", files, config: { retry: { max_attempts: 2, backoff_ms: 10 } } });
  const answer = await api.enqueue("twice", null);
  const { activation_id: id } = (await answer.json()) as { activation_id: string };
  await until(() => notes.runs.has(id), "the first attempt");
  proxy.refuse(true);
  proxy.cut();
  await sleep(5000);
  proxy.refuse(false);
  await until(async () => isTerminal(await api.activation(id)), "its end", 30_000);
  const record = await api.activation(id);
  assert.deepEqual([record.status, record["attempt"]], ["success", 2], JSON.stringify(record));
  assert.deepEqual(
    notes.runs.get(id)?.map(({ attempt }) => attempt),
    [1, 2],
  );
});
