import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createMemoryCodeQ, type Delivery } from "@sous/codeq";
import { type Invocation, PlatformError, TOPICS } from "@sous/contract";
import { createSqliteStore } from "@sous/store";
import type { InvocationReply } from "../activations/invocation-reply.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import { LiveRegistry } from "../activations/live-registry.ts";
import { createQueuedActivations } from "../activations/queued-activations.ts";
import { sampleInvocation } from "../activations/testing/sample-invocation.ts";
import { cancelActivation } from "./cancel-activation.ts";

const TENANT = "t_default";

test("what is cancelled while another process puts its failed attempt back ends as the next one", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  await using codeq = await createMemoryCodeQ<Invocation, InvocationReply>({ clock: Date.now });
  const body = sampleInvocation();
  const { activation_id: id, enqueued_at_ms, expires_at_ms } = body;
  const first = { ...new LiveActivation(body, 1, "isolate").record(), status: "running" as const };
  await store.activations.create(first);
  const { promise, resolve } = Promise.withResolvers<Delivery<Invocation>>();
  await codeq.consume({
    topic: TOPICS.invoke,
    leaseMs: 60_000,
    capacity: () => 1,
    accepts: () => true,
    deliver: resolve,
    onExpired: () => {},
  });
  const times = { enqueued_at_ms, due_at_ms: 0, expires_at_ms };
  const message = { id, topic: TOPICS.invoke, tenant: TENANT, lane: "default/f", body, attempt: 1, ...times };
  await codeq.publish(message, { depthMax: 10, durable: false });
  const delivery = await promise;

  const context = {
    live: new LiveRegistry(),
    store,
    codeq,
    clock: Date.now,
    queued: { get: () => undefined, of: () => [] },
    cancellations: undefined,
  };
  const cancelled = cancelActivation(
    context as unknown as Parameters<typeof cancelActivation>[0],
    TENANT,
    id,
  );
  // It has been read as the first attempt by now, and its message was not to be had.
  await sleep(5);
  await store.activations.update({ ...first, status: "queued", attempt: 2 });
  await delivery.nack(60_000);
  assert.equal((await cancelled).status, "cancelled");
  const record = await store.activations.get(TENANT, id);
  assert.deepEqual([record?.status, record?.attempt], ["cancelled", 2]);
});

test("what cannot be ended as cancelled goes back to the queue", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const queue = { clock: Date.now, journal: store.journal };
  await using codeq = await createMemoryCodeQ<Invocation, InvocationReply>(queue);
  const body = sampleInvocation();
  const { activation_id: id, enqueued_at_ms, expires_at_ms } = body;
  const times = { enqueued_at_ms, due_at_ms: 0, expires_at_ms };
  const message = { id, topic: TOPICS.invoke, tenant: TENANT, lane: "default/f", body, attempt: 1, ...times };
  await codeq.publish(message, { depthMax: 10, durable: true });
  let isAway = true;
  const away = (): Promise<never> => Promise.reject(new PlatformError("CS_STORE_UNAVAILABLE", "it is away"));
  const finish: typeof store.activations.finish = (record) =>
    isAway ? away() : store.activations.finish(record);
  const activations = { ...store.activations, finish };
  const context = {
    live: new LiveRegistry(),
    store: { ...store, activations },
    codeq,
    clock: Date.now,
    queued: createQueuedActivations({ codeq, activations, tier: "isolate" }),
    cancellations: undefined,
  };
  await assert.rejects(cancelActivation(context, TENANT, id), { code: "CS_STORE_UNAVAILABLE" });
  assert.equal((await codeq.lookup?.find(TOPICS.invoke, TENANT, id))?.attempt, 1);
  isAway = false;
  assert.equal((await cancelActivation(context, TENANT, id)).status, "cancelled");
  assert.equal((await store.activations.get(TENANT, id))?.status, "cancelled");
  assert.deepEqual(await codeq.depth(TOPICS.invoke), []);
});
