import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryCodeQ, type Delivery } from "@sous/codeq";
import { type Invocation, LIMITS, TOPICS } from "@sous/contract";
import { createSqliteStore, type Store } from "@sous/store";
import type { InvocationReply } from "../activations/invocation-reply.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import { LiveRegistry } from "../activations/live-registry.ts";
import { createIngress } from "./ingress.ts";
import { ingressRequest } from "./ingress-request.fixture.ts";

/**
 * Two gateways over one queue and one store. The second has looked for the key before the first queues its call, and goes
 * on when that call has ended and its message is gone.
 */
async function raced(
  t: { after(run: () => Promise<void>): void },
  [first, second]: readonly [string, string],
) {
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  const store = stack.use(await createSqliteStore({ path: ":memory:" }));
  const codeq = stack.use(
    await createMemoryCodeQ<Invocation, InvocationReply>({ clock: Date.now, journal: store.journal }),
  );
  const gateway = async (activations: Store["activations"]) =>
    createIngress({
      codeq,
      store: { ...store, activations },
      live: new LiveRegistry(),
      replies: await codeq.openReplies(),
      limits: LIMITS,
      tier: "isolate",
      now: Date.now,
    });
  const gone = Promise.withResolvers<void>();
  const looked = Promise.withResolvers<void>();
  const late: Store["activations"] = {
    ...store.activations,
    async get(tenant, id) {
      const found = await store.activations.get(tenant, id);
      looked.resolve();
      await gone.promise;
      return found;
    },
  };
  const end = async (delivery: Delivery<Invocation>): Promise<void> => {
    const activation = new LiveActivation(delivery.message.body, 1, "isolate");
    await store.activations.finish({ ...activation.record(), status: "success", end_ms: Date.now() });
    await delivery.ack();
    gone.resolve();
  };
  const key = { idempotencyKey: "k" };
  const other = (await gateway(late)).enqueue(ingressRequest({ ...key, eventJson: second }));
  await looked.promise;
  await (await gateway(store.activations)).enqueue(ingressRequest({ ...key, eventJson: first }));
  await codeq.consume({
    topic: TOPICS.invoke,
    leaseMs: 60_000,
    capacity: () => 1,
    accepts: () => true,
    deliver: (delivery) => void end(delivery),
    onExpired: () => {},
  });
  return await other;
}

test("a key whose call has ended since somebody looked for it is refused with another body", async (t) => {
  await assert.rejects(raced(t, ["1", "2"]), { code: "CS_IDEMPOTENCY_CONFLICT" });
});

test("and taken with the same one", async (t) => {
  const { activationId } = await raced(t, ["1", "1"]);
  assert.match(activationId, /^[0-9a-f-]{36}$/);
});
