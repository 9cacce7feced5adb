import type { CodeQ, Delivery, Subscription } from "@sous/codeq";
import { type EventSourceRecord, LIMITS, PlatformError } from "@sous/contract";
import { type InboxBody, type InboxQueue, putIntoInbox } from "../events/inbox.ts";
import { type UserTopicBody, userTopic } from "../events/user-topic.ts";
import type { PartitionLeases, Tenure } from "./partition-leases.ts";
import type { Sleep } from "./sleep.ts";

/**
 * Of a message that was taken: shorter than what is left of a topic's lease when its reader dies, so that whoever reads it
 * next finds everything in its place.
 */
const LEASE_MS = 5000;
const AHEAD = 128;
/** Before an inbox that was full, or a queue that failed, is tried again, milliseconds. */
const PAUSE_MS = 1000;

export interface TopicRouterOptions {
  codeq: Pick<CodeQ<UserTopicBody, unknown>, "consume" | "publish">;
  inboxes: Pick<InboxQueue, "publish">;
  leases: Pick<PartitionLeases, "take">;
  /** @returns whether `update` has heard of the sources there were at this call, or later; `false` where that failed */
  looked: () => Promise<boolean>;
  clock: () => number;
  sleep: Sleep;
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
  reading?: Reading;
}

/** A time in which a topic is read. */
interface Reading {
  /** What was taken, is leased, and has not been forwarded. */
  held: Set<Delivery<UserTopicBody>>;
  /** Ends forwarding: what waits for it goes back to the topic. */
  over: AbortController;
  /** Settles when the messages that were taken have been forwarded, or given back. */
  last: Promise<void>;
}

/**
 * Makes the router. One process at a time reads a topic, so that its messages reach each inbox in order; one that cannot
 * be forwarded holds up those after it. Sources are looked for once a message is there: one that was made before the
 * message was published gets it. An inbox that is full holds up no other: the message goes back to the topic for that
 * one alone, and where the topic is full too its publishers are told.
 */
export function createTopicRouter(options: TopicRouterOptions): TopicRouter {
  const { codeq, inboxes, leases, looked, clock, sleep, onFault } = options;
  const routes = new Map<string, Route>();
  let closed = false;

  async function forward(route: Route, delivery: Delivery<UserTopicBody>, topic: string): Promise<void> {
    const { message } = delivery;
    const { only, ...published } = message.body;
    const [id = ""] = message.id.split("~");
    const body: InboxBody = { kind: "topic", id, topic, ...published };
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

  /** Forwards a message, however often it takes, or gives it back to the topic. */
  async function settle(
    route: Route,
    { held, over }: Reading,
    delivery: Delivery<UserTopicBody>,
    topic: string,
    looking: Promise<boolean>,
  ): Promise<void> {
    for (let fresh = looking; !over.signal.aborted; fresh = looked()) {
      try {
        const isFresh = await fresh;
        // Whoever has it now forwards it.
        if (!held.has(delivery)) return;
        if (isFresh && !over.signal.aborted) return await forward(route, delivery, topic);
      } catch (error) {
        onFault(error);
      }
      await sleep(PAUSE_MS, over.signal);
    }
    await delivery.release();
  }

  /** Keeps the leases of what waits to be forwarded. */
  async function hold({ held, over }: Reading): Promise<void> {
    while (!over.signal.aborted) {
      await sleep(LEASE_MS / 3, over.signal);
      const extended = [...held].map(async (delivery) => {
        if (!(await delivery.extend(LEASE_MS))) held.delete(delivery);
      });
      for (const result of await Promise.allSettled(extended))
        if (result.status === "rejected") onFault(result.reason);
    }
  }

  async function start(name: string, topic: string, route: Route): Promise<void> {
    const tenure = await leases.take(`event-topic/${name}`);
    if (tenure === undefined) return;
    route.tenure = tenure;
    const reading: Reading = { held: new Set(), over: new AbortController(), last: Promise.resolve() };
    route.reading = reading;
    const { held } = reading;
    void hold(reading);
    const subscription = await codeq.consume({
      topic: name,
      leaseMs: LEASE_MS,
      capacity: () => AHEAD - held.size,
      accepts: () => true,
      deliver(delivery) {
        held.add(delivery);
        const fresh = looked();
        reading.last = reading.last
          .then(() => settle(route, reading, delivery, topic, fresh))
          .catch(onFault)
          .finally(() => {
            held.delete(delivery);
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
    const { subscription, tenure, reading } = route;
    delete route.subscription;
    delete route.tenure;
    reading?.over.abort();
    await subscription?.close();
    await reading?.last;
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
