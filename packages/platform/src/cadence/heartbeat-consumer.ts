import type { CodeQ, Subscription } from "@sous/codeq";
import { TOPICS } from "@sous/contract";
import type { HeartbeatMessage } from "../cadence-workers/heartbeat-message.ts";
import type { ActivityServer } from "./activity-server.ts";
import type { TaskBook } from "./task-book.ts";
import type { TaskTracker } from "./task-tracker.ts";

export interface HeartbeatConsumerOptions {
  codeq: Pick<CodeQ<HeartbeatMessage, unknown>, "consume">;
  tracker: TaskTracker;
  book: TaskBook;
  server: ActivityServer;
  cancel: (tenant: string, activationId: string) => Promise<void>;
  onFault: (error: unknown) => void;
}

const LEASE_MS = 30_000;
const AT_ONCE_MAX = 256;

/** Takes what functions say of their progress and brings it to Cadence with the next heartbeat. */
export async function consumeHeartbeats(options: HeartbeatConsumerOptions): Promise<Subscription> {
  const { codeq, tracker, book, server, cancel, onFault } = options;
  let atWork = 0;

  async function bring({
    tenant,
    namespace,
    activation_id,
    details_base64,
  }: HeartbeatMessage): Promise<void> {
    const details = Buffer.from(details_base64, "base64");
    const task = tracker.find(activation_id);
    if (task !== undefined) {
      task.tell(details);
      return;
    }
    // Another process looks after it; whoever has the message brings it.
    const kept = await book.find(tenant, namespace, activation_id);
    if (kept === undefined) return;
    const token = Buffer.from(kept.entry.token, "base64");
    if (await server.heartbeat(token, details, kept.entry.identity)) await cancel(tenant, activation_id);
  }

  const subscription = await codeq.consume({
    topic: TOPICS.cadenceHeartbeat,
    leaseMs: LEASE_MS,
    capacity: () => AT_ONCE_MAX - atWork,
    accepts: () => true,
    deliver(delivery) {
      atWork++;
      void bring(delivery.message.body)
        .catch(onFault)
        .then(() => delivery.ack())
        .catch(onFault)
        .finally(() => {
          atWork--;
          subscription.wake();
        });
    },
    // A heartbeat of long ago says nothing.
    onExpired: () => {},
  });
  return subscription;
}
