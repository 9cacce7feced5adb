import assert from "node:assert/strict";
import { test } from "node:test";
import { createRedisCodeQ } from "@sous/codeq/redis";
import { type ActivationRecord, type Invocation, TOPICS } from "@sous/contract";
import { createSqliteStore } from "@sous/store";
import { missingRedis, startRedis } from "@sous/store/testing";
import { endAbandoned } from "./end-abandoned.ts";
import type { InvocationReply } from "./invocation-reply.ts";
import { LiveActivation } from "./live-activation.ts";
import { sampleInvocation } from "./testing/sample-invocation.ts";

const HOUR_MS = 3_600_000;

test("an old open record whose message is gone ends; one whose message waits or is claimed, or a young one, does not", async (context) => {
  const missing = missingRedis();
  if (missing !== undefined) {
    assert.notEqual(process.env["SOUS_TEST_REQUIRE"], "all", `required, but ${missing}`);
    context.skip(missing);
    return;
  }
  await using redis = await startRedis();
  await using store = await createSqliteStore({ path: ":memory:" });
  await using codeq = await createRedisCodeQ<Invocation, InvocationReply>({
    url: redis.url,
    clock: Date.now,
  });
  const nowMs = Date.now();
  const record = async (
    fields: Partial<Invocation>,
    more: Partial<ActivationRecord> = {},
  ): Promise<Invocation> => {
    const body = sampleInvocation(fields);
    await store.activations.create({ ...new LiveActivation(body, 1, "isolate").record(), ...more });
    return body;
  };
  const publish = async (body: Invocation, lane: string): Promise<void> => {
    const { activation_id: id, tenant, enqueued_at_ms, expires_at_ms } = body;
    const times = { enqueued_at_ms, due_at_ms: 0, expires_at_ms };
    const message = { id, topic: TOPICS.invoke, tenant, lane, body, attempt: 1, ...times };
    await codeq.publish(message, { depthMax: 100, durable: true });
  };
  const old = { enqueued_at_ms: nowMs - HOUR_MS };
  const queued = await record(old, { status: "queued" });
  const running = await record(old, { status: "running", start_ms: nowMs - HOUR_MS });
  const begunNow = await record(old, { status: "running", start_ms: nowMs });
  const young = await record({ enqueued_at_ms: nowMs }, { status: "queued" });
  const waits = await record(old, { status: "queued" });
  const claimed = await record(old, { status: "running", start_ms: nowMs - HOUR_MS });
  await publish(waits, "default/waits");
  await publish(claimed, "default/claimed");
  const isClaimed = Promise.withResolvers<void>();
  await codeq.consume({
    topic: TOPICS.invoke,
    leaseMs: 30_000,
    capacity: () => 1,
    accepts: (message) => message.lane === "default/claimed",
    deliver: () => isClaimed.resolve(),
    onExpired() {},
  });
  await isClaimed.promise;

  const ended = await endAbandoned({ store, codeq }, nowMs);
  assert.deepEqual(ended.toSorted(), [queued.activation_id, running.activation_id].toSorted());
  const of = async ({ tenant, activation_id: id }: Invocation) => await store.activations.get(tenant, id);
  for (const gone of [queued, running]) {
    const stored = await of(gone);
    assert.deepEqual([stored?.status, stored?.error?.type], ["error", "SandboxCrashed"]);
  }
  assert.equal((await of(running))?.duration_ms, HOUR_MS);
  for (const open of [begunNow, young, waits, claimed]) {
    assert.match((await of(open))?.status ?? "", /^(queued|running)$/);
  }
  assert.deepEqual(await endAbandoned({ store, codeq }, nowMs), []);
});
