import type { CodeQ, Delivery, Subscription } from "@sous/codeq";
import { type EventSourceRecord, LIMITS, PlatformError } from "@sous/contract";
import { type InboxBody, type InboxQueue, putIntoInbox } from "../events/inbox.ts";
import { type UserTopicBody, userTopic } from "../events/user-topic.ts";
import type { PartitionLeases, Tenure } from "./partition-leases.ts";

const LEASE_MS = 60_000;
const AHEAD = 64;
/** Before an inbox that was full, or a queue that failed, is tried again, milliseconds. */
const PAUSE_MS = 1000;

export interface TopicRouterOptions {
  codeq: Pick<CodeQ<UserTopicBody, unknown>, "consume" | "publish">;
  inboxes: Pick<InboxQueue, "publish">;
  leases: PartitionLeases;
  clock: () => number;
  onFault: (error: unknown) => void;
}

/** Gives every source of a topic a copy of each of its messages. */
export interface TopicRouter extends AsyncDisposable {
  /** Says which sources there are now, paused ones too: theirs wait for them. */
  update(sources: readonly EventSourceRecord[]): void;
}

interface Route {
  sources: EventSourceRecord[];
  tenure?: Tenure;
  subscription?: Subscription;
  starting?: Promise<void>;
}

/**
 * Makes the router. One process at a time reads a topic, so that its messages reach each inbox in order. An inbox that is
 * full holds up no other: the message goes back to the topic for that one alone, and where the topic is full too its
 * publishers are told.
 */
export function createTopicRouter(options: TopicRouterOptions): TopicRouter {
  const { codeq, inboxes, leases, clock, onFault } = options;
  const routes = new Map<string, Route>();
  let closed = false;

  async function forward(route: Route, delivery: Delivery<UserTopicBody>, topic: string): Promise<void> {
    const { message } = delivery;
    const { payload_json, depth, only } = message.body;
    const [id = ""] = message.id.split("~");
    const body: InboxBody = { kind: "topic", id, topic, payload_json, depth };
    const full: string[] = [];
    for (const source of route.sources) {
      if (only !== undefined && !only.includes(source.uid)) continue;
      try {
        await putIntoInbox(inboxes, source, body, clock());
      } catch (error) {
        if (!(error instanceof PlatformError) || error.code !== "CS_QUEUE_FULL") throw error;
        full.push(source.uid);
      }
    }
    if (full.length > 0) {
      const again = {
        ...message,
        id: `${id}~${message.attempt}${full.join()}`,
        body: { ...message.body, only: full },
        due_at_ms: clock() + PAUSE_MS,
      };
      await codeq.publish(again, { depthMax: LIMITS.eventDepthMax, durable: true });
    }
    await delivery.ack();
  }

  async function start(name: string, topic: string, route: Route): Promise<void> {
    const tenure = await leases.take(`event-topic/${name}`);
    if (tenure === undefined) return;
    route.tenure = tenure;
    let last: Promise<void> = Promise.resolve();
    let open = 0;
    const subscription = await codeq.consume({
      topic: name,
      leaseMs: LEASE_MS,
      capacity: () => AHEAD - open,
      accepts: () => true,
      deliver(delivery) {
        open++;
        last = last
          .then(() => forward(route, delivery, topic))
          .catch(async (error: unknown) => {
            onFault(error);
            await delivery.nack(PAUSE_MS).catch(onFault);
          })
          .finally(() => {
            open--;
            subscription.wake();
          });
      },
      onExpired: () => {},
    });
    route.subscription = subscription;
    tenure.lost.addEventListener("abort", () => void stop(route).catch(onFault), { once: true });
    if (closed || routes.get(name) !== route) await stop(route);
  }

  async function stop(route: Route): Promise<void> {
    const { subscription, tenure } = route;
    delete route.subscription;
    delete route.tenure;
    await subscription?.close();
    await tenure?.[Symbol.asyncDispose]();
  }

  return {
    update(sources) {
      if (closed) return;
      const wanted = Map.groupBy(
        sources.filter(({ type, codeq: part }) => type === "codeq" && part !== undefined),
        ({ tenant, namespace, codeq: part }) => userTopic(tenant, namespace, part?.topic ?? ""),
      );
      for (const [name, route] of routes) {
        if (wanted.has(name)) continue;
        routes.delete(name);
        void stop(route).catch(onFault);
      }
      for (const [name, readers] of wanted) {
        let route = routes.get(name);
        if (route === undefined) routes.set(name, (route = { sources: readers }));
        route.sources = readers;
        if (route.subscription !== undefined || route.starting !== undefined) continue;
        const made = route;
        made.starting = start(name, readers[0]?.codeq?.topic ?? "", made)
          .catch(onFault)
          .finally(() => delete made.starting);
      }
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      const open = [...routes.values()];
      routes.clear();
      await Promise.all(
        open.map(async (route) => {
          await route.starting;
          await stop(route);
        }),
      );
    },
  };
}
