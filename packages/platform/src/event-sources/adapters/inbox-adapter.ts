import type { Delivery, Subscription } from "@sous/codeq";
import { sourceTopic } from "../../events/event-resources.ts";
import type { InboxBody, InboxQueue } from "../../events/inbox.ts";
import type { AdapterContext, Partition, SourceAdapter, SourceMessage } from "../adapter.ts";
import { WHOLE } from "../adapter.ts";
import { inboxMessage } from "./inbox-message.ts";

const LEASE_MS = 60_000;
/** Where order matters: shorter than what is left of a partition's lease when its reader dies, so that its messages are back. */
const ORDERED_LEASE_MS = 5000;
/** How long a read waits for something to come. */
const WAIT_MS = 5000;

/** Topics of functions and webhooks: both lie in the platform's own queue, an inbox for each source. */
export function createInboxAdapter(codeq: InboxQueue, context: AdapterContext): SourceAdapter {
  return {
    partitions: async () => WHOLE,
    open: () => openInbox(codeq, context),
    [Symbol.asyncDispose]: async () => {},
  };
}

async function openInbox(codeq: InboxQueue, { source, clock, sleep }: AdapterContext): Promise<Partition> {
  const arrived: Delivery<InboxBody>[] = [];
  const held = new Map<string, Delivery<InboxBody>>();
  let room = 0;
  let came = new AbortController();
  const topic = sourceTopic(source);
  const leaseMs = source.ordering_key === undefined ? LEASE_MS : ORDERED_LEASE_MS;
  const subscription: Subscription = await codeq.consume({
    topic,
    leaseMs,
    capacity: () => Math.max(0, room - arrived.length),
    accepts: () => true,
    deliver(delivery) {
      arrived.push(delivery);
      came.abort();
    },
    onExpired: () => {},
  });

  function take(): SourceMessage[] {
    return arrived.splice(0).map((delivery) => {
      const { body, attempt, enqueued_at_ms } = delivery.message;
      held.set(body.id, delivery);
      return inboxMessage(source, body, attempt, enqueued_at_ms);
    });
  }

  /** Ends deliveries. @throws the first failure, when all have been tried */
  async function end(
    messages: readonly SourceMessage[],
    how: (delivery: Delivery<InboxBody>) => Promise<void>,
  ) {
    const ends = messages.map(async ({ id }) => {
      const delivery = held.get(id);
      if (delivery === undefined) return;
      await how(delivery);
      held.delete(id);
    });
    for (const result of await Promise.allSettled(ends))
      if (result.status === "rejected") throw result.reason;
  }

  return {
    async receive(wanted, signal) {
      room = wanted;
      came = new AbortController();
      subscription.wake();
      if (arrived.length === 0) await sleep(WAIT_MS, AbortSignal.any([signal, came.signal]));
      room = 0;
      return take();
    },
    done: (messages) => end(messages, (delivery) => delivery.ack()),
    giveBack: (messages, delayMs) =>
      end(messages, (delivery) => (delayMs > 0 ? delivery.nack(delayMs) : delivery.release())),
    holdEveryMs: leaseMs / 3,
    async hold(messages) {
      await Promise.all(messages.map(({ id }) => held.get(id)?.extend(leaseMs)));
    },
    async lag() {
      const depths = await codeq.depth(topic);
      const count = depths.reduce((sum, { ready, delayed }) => sum + ready + delayed, 0);
      const oldest = Math.min(...[...held.values()].map(({ message }) => message.enqueued_at_ms));
      return { count, ageMs: Number.isFinite(oldest) ? clock() - oldest : 0 };
    },
    async [Symbol.asyncDispose]() {
      room = 0;
      await subscription.close();
      await Promise.allSettled([...held.values(), ...arrived].map((delivery) => delivery.release()));
    },
  };
}
