import { type Invocation, TOPICS } from "@sous/contract";
import type { Store } from "@sous/store";
import { createQueued } from "./create-queued.ts";
import type { InvocationCodeQ } from "./invocation-queue.ts";
import { LiveActivation } from "./live-activation.ts";

export interface QueueInvocationOptions {
  codeq: Pick<InvocationCodeQ, "publish" | "lookup">;
  store: Pick<Store, "activations">;
  tier: string;
}

/**
 * Queues work that the platform itself begins, with its record: one transaction where queue and store share them.
 * Its id is derived from what it came from, so that a second try is the same activation, and runs no second time.
 * @throws CS_QUEUE_FULL, CS_CODEQ_PUBLISH_FAILED, CS_STORE_UNAVAILABLE
 */
export async function queueInvocation(
  { codeq, store, tier }: QueueInvocationOptions,
  invocation: Invocation,
  depthMax: number,
): Promise<void> {
  const { activation_id, tenant, namespace, ref } = invocation;
  const message = {
    id: activation_id,
    topic: TOPICS.invoke,
    tenant,
    lane: `${namespace}/${ref.function}`,
    body: invocation,
    attempt: 1,
    enqueued_at_ms: invocation.enqueued_at_ms,
    due_at_ms: invocation.due_at_ms ?? 0,
    expires_at_ms: invocation.expires_at_ms,
  };
  // The queue itself tells what waits in it.
  if (codeq.lookup !== undefined) return await codeq.publish(message, { depthMax, durable: true });
  const record = new LiveActivation(invocation, ref.version ?? 0, tier).record();
  const together = async (): Promise<void> => void (await createQueued(store.activations, record));
  await codeq.publish(message, { depthMax, durable: true, together });
}
