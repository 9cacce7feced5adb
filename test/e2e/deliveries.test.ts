import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Invocation,
  LIMITS,
  newActivationId,
  newDraftId,
  newMessageId,
  newRequestId,
  TOPICS,
  type VersionConfigInput,
} from "@sous/contract";
import { buildBundle } from "../../packages/platform/src/bundle/build-bundle.ts";
import { loadConfig } from "../../packages/platform/src/config/load-config.ts";
import { mergeVersionConfig } from "../../packages/platform/src/control/merge-version-config.ts";
import type { InvocationReply } from "../../packages/platform/src/activations/invocation-reply.ts";
import { LiveActivation } from "../../packages/platform/src/activations/live-activation.ts";
import { openExecution } from "../../packages/platform/src/roles/execution.ts";
import { openBundles } from "../../packages/platform/src/roles/open-bundles.ts";
import { openCore } from "../../packages/platform/src/roles/open-core.ts";
import { openStore } from "../../packages/platform/src/roles/open-store.ts";
import { manifest, until } from "../support/api.ts";

const KEY = { tenant: "t_default", namespace: "default", name: "counter" };
const COUNTER = `export default async () => {
  const runs = ((await cs.kv.get("runs")) ?? 0) + 1;
  await cs.kv.set("runs", runs);
  await new Promise((resolve) => setTimeout(resolve, 100));
  return runs;
};`;

/** Fails the first time, and takes its time about it. */
const FAILS_FIRST = COUNTER.replace(
  "return runs;",
  'if (runs === 1) throw new Error("not yet"); return runs;',
);

/** The execution plane alone, with one function in its store: no HTTP, no ingress. */
async function startExecution(code = COUNTER, versionConfig: VersionConfigInput = {}) {
  const stack = new AsyncDisposableStack();
  const { config } = loadConfig({ mode: "dev", flags: {}, env: {}, readFile: () => undefined });
  const store = stack.use(
    (await openStore({ url: "sqlite::memory:", limits: LIMITS, now: Date.now, holdsQueue: true })).store,
  );
  const meter = {
    started() {},
    ended() {},
    retried() {},
    destination() {},
    writeRefused() {},
    recordLost() {},
  };
  const faults: unknown[] = [];
  const onFault = (error: unknown): void => void faults.push(error);
  const now = Date.now;
  const secrets = { read: () => Promise.reject(new Error("no function here has secrets")) };
  const core = stack.use(await openCore({ config, limits: LIMITS, store, now, onFault }));
  const { versions } = store;
  const { tiers } = stack.use(
    await openBundles({ config, limits: LIMITS, versions, now, onFault, onWarning: onFault }),
  );
  stack.use(await openExecution({ config, limits: LIMITS, core, tiers, secrets, meter, now, onFault }));
  await store.functions.create({
    ...KEY,
    runtime: "cs-js",
    entry: "function.js",
    handler: "default",
    created_at_ms: now(),
    deleted_at_ms: null,
  });
  const capabilities = { kv: { prefixes: ["runs"], ops: ["get", "set"] } };
  const texts = { "function.js": code, "manifest.json": manifest({ capabilities }) };
  const files = new Map(Object.entries(texts).map(([path, text]) => [path, Buffer.from(text)]));
  const { tar, sha256, manifest: read } = buildBundle(files);
  const draftId = newDraftId();
  const times = { created_at_ms: now(), expires_at_ms: now() + 60_000 };
  const size_bytes = tar.byteLength;
  await store.drafts.put(KEY, { draft_id: draftId, sha256, size_bytes, ...times, consumed: false }, tar);
  const { runtime, entry, handler } = read;
  const config1 = mergeVersionConfig(read, versionConfig, KEY);
  const version = { sha256, size_bytes, runtime, entry, handler, config: config1 };
  const published = { published_at_ms: now(), published_by: "test" };
  await store.versions.publish({ key: KEY, draftId, version: { ...version, ...published }, nowMs: now() });
  return {
    store,
    codeq: core.codeq,
    live: core.live,
    faults,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function invocationOf(mode: "sync" | "async", replyTo?: string): Invocation {
  const nowMs = Date.now();
  return {
    activation_id: newActivationId(),
    request_id: newRequestId(),
    tenant: KEY.tenant,
    namespace: KEY.namespace,
    ref: { function: KEY.name, version: 1 },
    trigger: { type: "schedule", source: {} },
    principal: { sub: "scheduler", roles: [] },
    deadline_ms: mode === "sync" ? nowMs + 10_000 : 0,
    mode,
    ...(replyTo === undefined ? {} : { reply_to: replyTo }),
    expires_at_ms: nowMs + 60_000,
    attempt: 1,
    enqueued_at_ms: nowMs,
    new_id: false,
    strict: true,
    event_json: "null",
  };
}

type Execution = Awaited<ReturnType<typeof startExecution>>;

/** Puts the same activation into the queue under another message id, as two publishers would. */
async function deliver({ codeq }: Execution, body: Invocation, attempt = 1): Promise<void> {
  const message = {
    id: newMessageId(),
    topic: TOPICS.invoke,
    tenant: body.tenant,
    lane: `${body.namespace}/${body.ref.function}`,
    body,
    attempt,
    enqueued_at_ms: body.enqueued_at_ms,
    due_at_ms: 0,
    expires_at_ms: body.expires_at_ms,
  };
  await codeq.publish(message, { depthMax: 100, durable: body.mode === "async" });
}

const runsOf = ({ store }: Execution): Promise<string | undefined> =>
  store.kv.get({ tenant: KEY.tenant, namespace: KEY.namespace }, "runs", Date.now());

async function settled(execution: Execution): Promise<void> {
  await until(async () => (await execution.codeq.depth(TOPICS.invoke)).length === 0, "an empty queue");
}

test("an activation that is delivered three times at once, and later once more, runs once", async () => {
  await using execution = await startExecution();
  const invocation = invocationOf("async");
  await Promise.all([1, 2, 3].map(() => deliver(execution, invocation)));
  await settled(execution);
  assert.equal(await runsOf(execution), "1");
  const read = () => execution.store.activations.get(KEY.tenant, invocation.activation_id);
  await until(async () => (await read())?.status === "success", "the record");
  const record = await read();
  await deliver(execution, invocation);
  await settled(execution);
  assert.equal(await runsOf(execution), "1");
  assert.deepEqual(await read(), record);
  await until(async () => (await execution.store.journal.load()).length === 0, "an empty journal");
  assert.deepEqual(execution.faults, []);
});

test("a delivery that comes because a lease was lost stays until the run before it has ended, and is tried when that failed", async () => {
  // The failed run's own delivery would try again after an hour or so: as good as never, as with a lost lease.
  const retry = { max_attempts: 3, backoff_ms: 7_200_000, backoff_max_ms: 7_200_000, max_age_ms: 86_400_000 };
  await using execution = await startExecution(FAILS_FIRST, { retry });
  const invocation = { ...invocationOf("async"), expires_at_ms: Date.now() + 86_400_000 };
  await deliver(execution, invocation);
  await until(async () => (await runsOf(execution)) === "1", "the first attempt to run");
  await deliver(execution, invocation, 2);
  const read = () => execution.store.activations.get(KEY.tenant, invocation.activation_id);
  await until(async () => (await read())?.status === "success", "the second attempt");
  const record = await read();
  assert.deepEqual([record?.attempt, record?.attempts.length], [2, 1]);
  assert.equal(await runsOf(execution), "2");
});

test("a delivery that waited for a run that failed for good leaves a dead letter, not nothing", async () => {
  const retry = { max_attempts: 1, backoff_ms: 10, backoff_max_ms: 10, max_age_ms: 86_400_000 };
  await using execution = await startExecution(FAILS_FIRST, { retry });
  const invocation = invocationOf("async");
  const dead = () => execution.codeq.dead(TOPICS.invoke, 10);
  await deliver(execution, invocation);
  await until(async () => (await runsOf(execution)) === "1", "the only attempt to run");
  await deliver(execution, invocation, 2);
  await settled(execution);
  await until(async () => (await dead()).length === 2, "both to be dead letters");
  assert.deepEqual(
    new Set((await dead()).map(({ reason }) => reason)),
    new Set(["attempt 1: Exception: not yet"]),
  );
  assert.equal(await runsOf(execution), "1");
});

test("a call that is cancelled while its failed attempt is put back ends as the next one, and is not run again", async () => {
  const retry = { max_attempts: 5, backoff_ms: 10, backoff_max_ms: 10, max_age_ms: 86_400_000 };
  await using execution = await startExecution(FAILS_FIRST, { retry });
  const invocation = invocationOf("async");
  const { tenant, activation_id: id } = invocation;
  const { activations } = execution.store;
  const update = activations.update.bind(activations);
  let isCancelled = false;
  // The very moment: the next attempt is in the store, and not in the queue.
  activations.update = async (record) => {
    const applied = await update(record);
    if (record.status === "queued" && record.attempt === 2) isCancelled = execution.live.cancel(tenant, id);
    return applied;
  };
  await deliver(execution, invocation);
  const read = () => activations.get(tenant, id);
  await until(async () => (await read())?.status === "cancelled", "it to be cancelled");
  await settled(execution);
  assert.ok(isCancelled);
  const record = await read();
  assert.deepEqual([record?.attempt, record?.attempts.length, record?.start_ms], [2, 1, null]);
  assert.equal(await runsOf(execution), "1");
  assert.deepEqual(await execution.codeq.dead(TOPICS.invoke, 10), []);
});

test("an attempt that the store knows of and the queue does not is the one that runs", async () => {
  await using execution = await startExecution();
  const invocation = invocationOf("async");
  const live = new LiveActivation(invocation, 1, "isolate");
  const error = { type: "Exception" as const, message: "not yet" };
  const failed = { attempt: 1, start_ms: 1, end_ms: 2, status: "error" as const, error };
  await execution.store.activations.create({ ...live.record(), attempt: 2, attempts: [failed] });
  await deliver(execution, invocation);
  const read = () => execution.store.activations.get(KEY.tenant, invocation.activation_id);
  await until(async () => (await read())?.status === "success", "it to run");
  assert.equal((await read())?.attempt, 2);
});

test("each of three gateways gets the one answer of an activation they all sent", async () => {
  await using execution = await startExecution();
  const channels = await Promise.all([1, 2, 3].map(() => execution.codeq.openReplies()));
  const first = invocationOf("sync");
  const answers = channels.map(async (channel) => {
    const { promise, resolve } = Promise.withResolvers<InvocationReply>();
    const reply_to = channel.expect(first.activation_id, resolve);
    await deliver(execution, { ...first, request_id: newRequestId(), reply_to });
    return await promise;
  });
  const replies = await Promise.all(answers);
  assert.deepEqual(
    replies.map(({ status, result }) => [status, result?.body]),
    [1, 2, 3].map(() => ["success", "1"]),
  );
  assert.deepEqual(replies.map(({ replayed }) => replayed).sort(), [false, true, true]);
  assert.equal(await runsOf(execution), "1");
  await settled(execution);
});
