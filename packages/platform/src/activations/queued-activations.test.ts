import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryCodeQ, type MessagePlace } from "@sous/codeq";
import { type Invocation, TOPICS } from "@sous/contract";
import { createSqliteStore } from "@sous/store";
import type { InvocationReply } from "./invocation-reply.ts";
import { createQueuedActivations } from "./queued-activations.ts";
import { sampleInvocation } from "./testing/sample-invocation.ts";

test("a few pages with nothing in them are passed over for what waits behind them", async () => {
  await using store = await createSqliteStore({ path: ":memory:" });
  const { activations, journal } = store;
  await using codeq = await createMemoryCodeQ<Invocation, InvocationReply>({ clock: Date.now, journal });
  const nowMs = Date.now();
  const publish = async (body: Invocation): Promise<string> => {
    const { activation_id: id, tenant, enqueued_at_ms, expires_at_ms } = body;
    const times = { enqueued_at_ms, due_at_ms: 0, expires_at_ms };
    const message = { id, topic: TOPICS.invoke, tenant, lane: "default/f", body, attempt: 1, ...times };
    await codeq.publish(message, { depthMax: 100, durable: true });
    return id;
  };
  const oldest = await publish(sampleInvocation({ enqueued_at_ms: nowMs }));
  // Those with a key are in the store, and are not told twice.
  const passed = Array.from({ length: 15 }, (_, n) =>
    sampleInvocation({ enqueued_at_ms: nowMs + 1 + n, fingerprint: "f" }),
  );
  for (const body of passed) await publish(body);

  const queued = createQueuedActivations({ codeq, activations, tier: "isolate" });
  const filter = { tenant: "t_default", status: "queued" } as const;
  const page = await queued.list(filter, undefined, 5);
  assert.deepEqual(
    page.records.map((record) => record.activation_id),
    [oldest],
  );
  assert.equal(page.next, undefined);
  // With as many to pass over as one call does not, it says from where to go on.
  const short = await queued.list(filter, undefined, 1);
  assert.deepEqual(short.records, []);
  assert.ok(short.next !== undefined && short.next.enqueued_at_ms > nowMs);
  const rest = [];
  let next: MessagePlace | undefined = short.next;
  while (next !== undefined) {
    const more = await queued.list(filter, next, 1);
    rest.push(...more.records);
    ({ next } = more);
  }
  assert.deepEqual(
    rest.map((record) => record.activation_id),
    [oldest],
  );
});
