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

/** A gateway and invokers on a Redis, which can be reached past a proxy as well, and notes of every run. */
async function openWorld({ invokers = 1, leaseMs = LEASE_MS } = {}) {
  await using stack = new AsyncDisposableStack();
  const redis = stack.use(await startRedis());
  const proxy = stack.use(await startProxy(redis.port));
  const notes = stack.use(await startRunNotes());
  const cluster = stack.use(
    await startCluster({
      store: redis.url,
      codeq: redis.url,
      counts: { gateway: 1, invoker: invokers, scheduler: 0 },
      settings: { "limits.invocation_lease_ms": leaseMs, "egress.private_allow": ["127.0.0.1/32"] },
    }),
  );
  const { api } = cluster;
  const owned = stack.move();
  return {
    proxy,
    proxiedUrl: `redis://127.0.0.1:${proxy.port}`,
    cluster,
    api,
    /** @param body what the function does after it has noted its run */
    async deploy(body: string, config: Record<string, unknown> = {}): Promise<void> {
      const capabilities = notesAllowed(notes);
      const files = {
        "function.js": `export default async (event, ctx) => { ${noteRun(notes)} ${body} };`,
        "manifest.json": manifest({ capabilities, limits: { timeoutMs: 30_000 } }),
      };
      await api.deploy({ name: "work", files, config });
    },
    async enqueue(event: unknown = null): Promise<string> {
      const answer = await api.enqueue("work", event);
      return ((await answer.json()) as { activation_id: string }).activation_id;
    },
    attemptsOf: (id: string): number[] => (notes.runs.get(id) ?? []).map(({ attempt }) => attempt),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Waits until an invoker has nothing at work. */
async function untilIdle({ url }: TestServer): Promise<void> {
  await until(async () => {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return /^cs_invoker_inflight 0$/m.test(metrics);
  }, "an invoker to have nothing at work");
}

const pause = (ms: string | number): string => `await new Promise((resolve) => setTimeout(resolve, ${ms}));`;

test("an invoker that stood still past its lease tells nobody an end that is not the record's", async (context) => {
  if (missing !== undefined) return skipUnlessRequired(context, missing);
  await using receiver = await startWebhookReceiver(SECRET);
  await using world = await openWorld();
  const { api, cluster, enqueue, attemptsOf } = world;
  await api.expect(200, "PUT", "/v1/tenants/t_default/namespaces/default/secrets/hook", { value: SECRET });
  const on_success = { webhook: { url: `${receiver.url}/end`, secret: "hook" } };
  await world.deploy(`${pause("event.waitMs")} return { attempt: ctx.attempt };`, { on_success });
  const toldOf = (id: string) => receiver.received.filter((each) => each.id === `dst_${id}`);

  const [first] = cluster.processes.invoker;
  assert.ok(first);
  const id = await enqueue({ waitMs: 1000 });
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

  await untilIdle(first);
  // What it is given now comes after whatever it had to say of the other.
  await second[Symbol.asyncDispose]();
  const next = await enqueue({ waitMs: 0 });
  await until(() => toldOf(next).length === 1, "it to go on", 30_000);
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
  await using world = await openWorld({ invokers: 0, leaseMs: 1000 });
  const { api, cluster, proxy, proxiedUrl, enqueue, attemptsOf } = world;
  await cluster.start("invoker", { codeq: proxiedUrl });
  await world.deploy("");
  const before = await enqueue();
  await until(() => attemptsOf(before).length === 1, "it to run what it hears of");

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
  assert.equal(attemptsOf(id).length, 1);
  // Before it gives up its connection and what was sent on it.
  proxy.partition(undefined);
  await other[Symbol.asyncDispose]();
  const after = await enqueue();
  await until(() => attemptsOf(after).length === 1, "the first one to go on", 30_000);
  await sleep(1000);
  assert.equal(attemptsOf(id).length, 1);
});

test("an attempt after a lost lease begins only where the one before it has not ended meanwhile", async (context) => {
  if (missing !== undefined) return skipUnlessRequired(context, missing);
  await using world = await openWorld();
  const { api, cluster, proxy, proxiedUrl, enqueue, attemptsOf } = world;
  await world.deploy(`${pause(1500)} return ctx.attempt;`);
  const [first] = cluster.processes.invoker;
  assert.ok(first);
  const id = await enqueue();
  await until(() => attemptsOf(id).length === 1, "the first attempt to begin");
  // Without a record nobody could know of it.
  await until(async () => (await api.activation(id)).status === "running", "its record");
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
    second = await cluster.start("invoker", { store: proxiedUrl });
    await until(() => isRead, "another invoker to be given it", 30_000);
  } finally {
    process.kill(first.pid, "SIGCONT");
  }
  await until(async () => (await api.activation(id)).status === "success", "the first attempt to end");
  proxy.onAnswer = undefined;
  proxy.partition(undefined);
  await untilIdle(second);
  await sleep(500);
  assert.deepEqual(attemptsOf(id), [1]);
  assert.equal((await api.activation(id))["attempt"], 1);
});

test("a store that is away costs work none of its attempts", async (context) => {
  if (missing !== undefined) return skipUnlessRequired(context, missing);
  await using world = await openWorld({ invokers: 0 });
  const { api, cluster, proxy, proxiedUrl, enqueue, attemptsOf } = world;
  await cluster.start("invoker", { store: proxiedUrl });
  await world.deploy(`${pause(300)} if (ctx.attempt === 1) throw new Error("not yet"); return ctx.attempt;`, {
    retry: { max_attempts: 2, backoff_ms: 10 },
  });
  const id = await enqueue();
  await until(() => attemptsOf(id).length === 1, "the first attempt");
  proxy.refuse(true);
  proxy.cut();
  await sleep(5000);
  proxy.refuse(false);
  await until(async () => isTerminal(await api.activation(id)), "its end", 30_000);
  const record = await api.activation(id);
  assert.deepEqual([record.status, record["attempt"]], ["success", 2], JSON.stringify(record));
  assert.deepEqual(attemptsOf(id), [1, 2]);
});
