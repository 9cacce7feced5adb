import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createMemoryCodeQ } from "@sous/codeq";
import { type Invocation, LIMITS, newActivationId, newDraftId, TOPICS } from "@sous/contract";
import { createSqliteStore } from "@sous/store";
import type { InvocationReply } from "../activations/invocation-reply.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import { createDestinationSender } from "../activations/destination-sender.ts";
import { LiveRegistry } from "../activations/live-registry.ts";
import { buildBundle } from "../bundle/build-bundle.ts";
import { createBundleCache } from "../bundle/bundle-cache.ts";
import { sampleFiles } from "../bundle/bundle-samples.fixture.ts";
import { createTypeStripper } from "../bundle/type-stripper.ts";
import { createCatalog } from "../catalog/create-catalog.ts";
import { mergeVersionConfig } from "../control/merge-version-config.ts";
import { createFleet } from "../fleet/create-fleet.ts";
import { createMemoryDriver, memoryTask } from "../fleet/memory-driver.fixture.ts";
import { createInvoker } from "../invoker/create-invoker.ts";
import { createEgress } from "../powers/create-egress.ts";
import { createHostPowers } from "../powers/create-host-powers.ts";

const KEY = { tenant: "t_second", namespace: "default", name: "hello" };
const TIMEOUT_MS = 100;

/** An execution plane with room for one sandbox, which another tenant has. */
async function open(t: TestContext) {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const store = stack.use(await createSqliteStore({ path: ":memory:" }));
  const codeq = stack.use(await createMemoryCodeQ<Invocation, InvocationReply>({ clock: Date.now }));
  const catalog = createCatalog({ store, clock: Date.now, random: Math.random });
  const bundles = createBundleCache({
    load: (sha256) => store.versions.bundle(sha256),
    stripper: stack.use(createTypeStripper()),
    clock: Date.now,
    itemsMax: 10,
    bytesMax: 1_000_000,
  });
  const powers = stack.use(
    createHostPowers({
      kv: store.kv,
      publish: async () => {},
      egress: createEgress(),
      secrets: { read: () => Promise.reject(new TypeError("not asked")) },
      clock: Date.now,
    }),
  );
  const driver = createMemoryDriver();
  const fleet = createFleet({
    driver,
    hostsMax: 1,
    hostIdleMs: 60_000,
    programsPerHostMax: 9,
    programsMax: 9,
    now: Date.now,
  });
  const live = new LiveRegistry();
  const meter = { started() {}, ended() {}, retried() {}, writeRefused() {}, recordLost() {} };
  const limits = LIMITS;
  const now = Date.now;
  stack.use(
    await createInvoker({
      codeq,
      store,
      catalog,
      bundles,
      fleet,
      powers,
      live,
      destinations: stack.use(
        createDestinationSender({ codeq, now, onFault: (error) => assert.ifError(error) }),
      ),
      meter,
      limits,
      now,
      random: Math.random,
    }),
  );
  const { tar, sha256, manifest } = buildBundle(sampleFiles());
  const { runtime, entry, handler } = manifest;
  const created = { created_at_ms: now(), deleted_at_ms: null };
  await store.functions.create({ ...KEY, runtime, entry, handler, ...created });
  const draftId = newDraftId();
  const draft = {
    draft_id: draftId,
    sha256,
    size_bytes: tar.length,
    consumed: false,
    created_at_ms: now(),
    expires_at_ms: now() + 60_000,
  };
  await store.drafts.put(KEY, draft, tar);
  const config = mergeVersionConfig(manifest, { timeout_ms: TIMEOUT_MS }, KEY);
  const version = {
    sha256,
    size_bytes: tar.length,
    runtime,
    entry,
    handler,
    config,
    published_at_ms: now(),
    published_by: "tester",
  };
  await store.versions.publish({ key: KEY, draftId, version, nowMs: now() });
  fleet.run("t_first", memoryTask("busy", "busy", now() + 60_000), {
    onPlaced() {},
    onHostCall() {},
    onLog() {},
    onOutcome() {},
  });

  const replies = await codeq.openReplies();
  const submit = async (mode: "sync" | "async", fingerprint?: string) => {
    const id = newActivationId();
    const answer = Promise.withResolvers<InvocationReply>();
    const address = replies.expect(id, answer.resolve);
    const invocation: Invocation = {
      activation_id: id,
      request_id: "req_test0000",
      tenant: KEY.tenant,
      namespace: KEY.namespace,
      ref: { function: KEY.name, version: 1 },
      trigger: { type: "api", source: {} },
      principal: { sub: "tester", roles: ["admin"] },
      deadline_ms: mode === "sync" ? now() + TIMEOUT_MS : 0,
      mode,
      reply_to: address,
      expires_at_ms: now() + 60_000,
      attempt: 1,
      enqueued_at_ms: now(),
      new_id: fingerprint === undefined,
      strict: fingerprint !== undefined,
      event_json: "null",
      ...(fingerprint === undefined ? {} : { fingerprint }),
    };
    if (mode === "async") {
      await store.activations.create(new LiveActivation(invocation, 1, fleet.tier).record());
    }
    await codeq.publish(
      {
        id,
        topic: TOPICS.invoke,
        tenant: KEY.tenant,
        lane: "default/hello",
        body: invocation,
        attempt: 1,
        enqueued_at_ms: now(),
        due_at_ms: 0,
        expires_at_ms: invocation.expires_at_ms,
      },
      { depthMax: 10, durable: false },
    );
    return { id, answer: answer.promise };
  };
  return { store, driver, submit };
}

test("a synchronous call without room ends as one to repeat, and with a key nothing of it is kept", async (t) => {
  const { store, submit } = await open(t);
  const plain = await submit("sync");
  assert.equal((await plain.answer).error?.type, "Expired");
  const keyed = await submit("sync", "a".repeat(64));
  assert.equal((await keyed.answer).error?.type, "Expired");
  assert.equal(await store.activations.get(KEY.tenant, keyed.id), undefined);
});

test("asynchronous work without room waits for it, and runs as its first attempt", async (t) => {
  const { driver, store, submit } = await open(t);
  const { id, answer } = await submit("async");
  await new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS * 3));
  assert.equal(driver.sandboxes.length, 1);
  driver.sandboxes[0]?.end("busy");
  let second = driver.sandboxes[1];
  for (const endMs = Date.now() + 10_000; second?.active !== 1 && Date.now() < endMs;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    second = driver.sandboxes[1];
  }
  second?.end(id);
  await answer;
  const record = await store.activations.get(KEY.tenant, id);
  assert.equal(record?.attempt, 1);
  assert.deepEqual(record?.attempts, []);
  assert.equal(record?.status, "success");
});
