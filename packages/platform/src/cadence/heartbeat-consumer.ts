import type { CodeQ, Subscription } from "@sous/codeq";
import { TOPICS } from "@sous/contract";
import type { HeartbeatMessage } from "../cadence-workers/heartbeat-message.ts";
import type { TaskTracker } from "./task-tracker.ts";

export interface HeartbeatConsumerOptions {
  codeq: Pick<CodeQ<HeartbeatMessage, unknown>, "consume">;
  tracker: TaskTracker;
  onFault: (error: unknown) => void;
}

const LEASE_MS = 30_000;
const AT_ONCE_MAX = 256;

/**
 * Takes what functions say of their progress and brings it to Cadence with the next heartbeat. Each process takes what
 * belongs to its own tasks: so one alone tells of a task, in the order of its lane and as often as it may.
 * @returns what has to be woken when this process looks after more tasks
 */
export async function consumeHeartbeats(options: HeartbeatConsumerOptions): Promise<Subscription> {
  const { codeq, tracker, onFault } = options;
  let atWork = 0;

  const subscription = await codeq.consume({
    topic: TOPICS.cadenceHeartbeat,
    leaseMs: LEASE_MS,
    capacity: () => AT_ONCE_MAX - atWork,
    accepts: ({ body }) => tracker.hears(body.activation_id),
    deliver(delivery) {
      atWork++;
      const { activation_id, details_base64 } = delivery.message.body;
      tracker.find(activation_id)?.tell(Buffer.from(details_base64, "base64"));
      void delivery
        .ack()
        .catch(onFault)
        .finally(() => {
          atWork--;
          // Its lane alone: those of other processes' tasks are not asked for again.
          subscription.wake(delivery.message);
        });
    },
    // A heartbeat of long ago says nothing.
    onExpired: () => {},
  });
  return subscription;
}
