import type { CodeQ, Delivery, Message } from "@sous/codeq";
import { describeDestination, PlatformError, TOPICS } from "@sous/contract";
import type { DestinationTask } from "../activations/destination-task.ts";
import { structuredCloudEvent } from "./write-cloudevent.ts";
import { deliverToFunction, type FunctionDeliveryOptions } from "./deliver-function.ts";
import { deliverToWebhook, type WebhookDeliveryOptions } from "./deliver-webhook.ts";
import { type DestinationFailure, finalFailure, passingFailure } from "./destination-failure.ts";

const LEASE_MS = 120_000;
/** Deliveries of this process at a time, and of one tenant: a slow receiver holds up nobody else's. */
const DELIVERIES_MAX = 128;
const DELIVERIES_PER_TENANT_MAX = 16;
const REASON_LENGTH_MAX = 1000;

export type DestinationKind = "function" | "topic" | "webhook";

export interface DestinationsOptions
  extends FunctionDeliveryOptions, Omit<WebhookDeliveryOptions, "timeoutMs"> {
  /** The queue of invocations carries their ends as well. */
  consume: CodeQ<DestinationTask, unknown>["consume"];
  /** Publishes to a topic of functions; the same id twice is one message while the first is there. */
  publishTopic: (message: {
    id: string;
    tenant: string;
    namespace: string;
    topic: string;
    payloadJson: string;
    depth: number;
    activationId: string;
  }) => Promise<void>;
  /** How many functions may call one another (`budgets.depth_max`). */
  depthMax: number;
  random: () => number;
  /** Counts what became of a try. */
  onTry: (kind: DestinationKind, outcome: "delivered" | "retried" | "dead") => void;
  /** Hears of faults nobody waits for. */
  onFault: (error: unknown) => void;
}

/** The service that brings ends of activations to their destinations. */
export interface DestinationService extends AsyncDisposable {
  /** Takes no more; waits until what is on its way has arrived or failed, at most `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>;
}

/**
 * Consumes `cs.deliver`. Each message is one end of one activation: it is delivered, tried again with full jitter,
 * or, after the last attempt, where nothing will change by itself, or at the end of a chain that is too long, a dead
 * letter of `cs.deliver`.
 */
export async function createDestinations(options: DestinationsOptions): Promise<DestinationService> {
  const { limits, depthMax, random, onTry, onFault, now } = options;
  const open = new Set<Delivery<DestinationTask>>();
  const openByTenant = new Map<string, number>();
  let draining = false;
  let drained: (() => void) | undefined;

  function count(tenant: string, by: 1 | -1): void {
    const others = (openByTenant.get(tenant) ?? 0) + by;
    if (others === 0) openByTenant.delete(tenant);
    else openByTenant.set(tenant, others);
  }

  async function attempt({ id, body }: Message<DestinationTask>): Promise<DestinationFailure | undefined> {
    const { destination, depth, tenant, namespace } = body;
    if (depth >= depthMax) {
      return finalFailure(
        `${describeDestination(destination)}: more than ${depthMax} functions called one another up to here: end the circle, or raise budgets.depth_max`,
      );
    }
    if ("function" in destination) return await deliverToFunction(options, body, destination.function);
    if ("webhook" in destination) {
      const web = { ...options, timeoutMs: limits.destinationTimeoutMs };
      return await deliverToWebhook(web, id, body, destination.webhook);
    }
    const { topic, format } = destination;
    try {
      // An id of its own: the queue knows this one as the delivery.
      await options.publishTopic({
        id: `${id}_topic`,
        tenant,
        namespace,
        topic,
        payloadJson: format === undefined ? body.event_json : structuredCloudEvent(id, body),
        depth,
        activationId: body.activation_id,
      });
      return undefined;
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      return passingFailure(`topic ${topic}: ${error.message}`);
    }
  }

  async function settle(delivery: Delivery<DestinationTask>): Promise<void> {
    const { message } = delivery;
    const kind = kindOf(message.body);
    const failure = await attempt(message).catch((error: unknown) => {
      onFault(error);
      return passingFailure("a fault of the platform; see the server's log");
    });
    if (failure === undefined) {
      onTry(kind, "delivered");
      await delivery.ack();
    } else if (failure.final || message.attempt >= limits.destinationAttemptsMax) {
      onTry(kind, "dead");
      const reason = `attempt ${message.attempt}: ${failure.reason}`;
      await delivery.deadLetter(reason.slice(0, REASON_LENGTH_MAX));
    } else {
      onTry(kind, "retried");
      const { destinationBackoffMs: base, destinationBackoffMaxMs: most } = limits;
      const ceiling = Math.min(most, base * 2 ** (message.attempt - 1));
      await delivery.nack(Math.max(Math.floor(random() * ceiling), failure.retryAfterMs ?? 0));
    }
  }

  function end(delivery: Delivery<DestinationTask>): void {
    open.delete(delivery);
    count(delivery.message.tenant, -1);
    if (draining) {
      if (open.size === 0) drained?.();
    } else subscription.wake();
  }

  const subscription = await options.consume({
    topic: TOPICS.deliver,
    leaseMs: LEASE_MS,
    capacity: () => (draining ? 0 : DELIVERIES_MAX - open.size),
    accepts: ({ tenant }) => (openByTenant.get(tenant) ?? 0) < DELIVERIES_PER_TENANT_MAX,
    deliver(delivery) {
      open.add(delivery);
      count(delivery.message.tenant, 1);
      settle(delivery)
        .catch(onFault)
        .finally(() => end(delivery));
    },
    onExpired({ body, enqueued_at_ms }) {
      onTry(kindOf(body), "dead");
      return `it waited for ${now() - enqueued_at_ms} ms, and is told no more`;
    },
  });

  async function drain(timeoutMs: number): Promise<void> {
    draining = true;
    await subscription.close();
    if (open.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    drained = resolve;
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
  }

  return {
    drain,
    async [Symbol.asyncDispose]() {
      await drain(0);
      // What is cut off here is tried again as it was; a receiver may see it twice, under one id.
      await Promise.allSettled([...open].map((delivery) => delivery.release()));
    },
  };
}

function kindOf({ destination }: DestinationTask): DestinationKind {
  if ("function" in destination) return "function";
  return "topic" in destination ? "topic" : "webhook";
}
