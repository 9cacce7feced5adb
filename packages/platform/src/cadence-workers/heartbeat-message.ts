import type { CodeQ } from "@sous/codeq";
import { newMessageId, PlatformError, TOPICS } from "@sous/contract";

/** What a function says of its progress, on its way to whoever looks after its task. */
export interface HeartbeatMessage {
  tenant: string;
  namespace: string;
  activation_id: string;
  /** As the function gave them: JSON. */
  details_base64: string;
}

/** Waiting heartbeats of one activation; what comes faster is dropped, as of several only the last counts. */
const DEPTH_MAX = 4;
const MAX_AGE_MS = 10_000;

/** @returns a function that queues a heartbeat, or drops it. @throws CS_CADENCE_HEARTBEAT_FAILED */
export function createHeartbeatPublisher(
  codeq: Pick<CodeQ<HeartbeatMessage, unknown>, "publish">,
  clock: () => number,
) {
  return async function publish(
    scope: { tenant: string; namespace: string; activationId: string },
    detailsJson: string,
  ): Promise<void> {
    const { tenant, namespace, activationId: activation_id } = scope;
    const now = clock();
    const details_base64 = Buffer.from(detailsJson).toString("base64");
    const message = {
      id: newMessageId(),
      topic: TOPICS.cadenceHeartbeat,
      tenant,
      lane: `${namespace}/${activation_id}`,
      body: { tenant, namespace, activation_id, details_base64 },
      attempt: 1,
      enqueued_at_ms: now,
      due_at_ms: 0,
      expires_at_ms: now + MAX_AGE_MS,
    };
    try {
      await codeq.publish(message, { depthMax: DEPTH_MAX, durable: false });
    } catch (cause) {
      if (cause instanceof PlatformError && cause.code === "CS_QUEUE_FULL") return;
      throw new PlatformError("CS_CADENCE_HEARTBEAT_FAILED", "the heartbeat could not be queued", { cause });
    }
  };
}
