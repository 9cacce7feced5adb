import assert from "node:assert";
import { PlatformError } from "@sous/contract";
import type { Consumer, Delivery, LaneDepth, Message, Subscription } from "../codeq.ts";
import { Alarm, type SetTimer } from "./alarm.ts";
import { FairRotation } from "./fair-rotation.ts";
import { type Entry, Lane, TenantLanes } from "./lanes.ts";

/** Parked lanes asked again within a wake-up that names no lane, and in each later step of it. */
const ASKED_AT_ONCE = 128;
const ASKED_LATER = 1024;
/** Empty lanes and tenants are swept when this many were made since the last sweep, or as many as were left. */
const SWEEP_MIN = 1024;

/** What a topic needs of the queue around it. */
export interface TopicHost<Body> {
  clock: () => number;
  setTimer: SetTimer;
  weightOf(tenant: string): number;
  /** Claims a message that was just taken from its lane. */
  claim(entry: Entry<Body>, leaseMs: number, nowMs: number): Delivery<Body>;
  /** Ends a message that was just taken from its lane as its consumer says. */
  expire(entry: Entry<Body>, consumer: Consumer<Body> | undefined): void;
  /** Hears of a consumer's exception. */
  report(error: PlatformError): void;
}

/** One topic: its lanes, its consumers, and the loop that brings them together. */
export class TopicQueue<Body> {
  readonly #host: TopicHost<Body>;
  readonly #tenants = new Map<string, TenantLanes<Body>>();
  readonly #rotation = new FairRotation<Body>();
  readonly #rescan: Alarm;
  /** Messages that expired while nobody was there to hear of it. */
  readonly #unheard = new Set<Entry<Body>>();
  #consumers: readonly Consumer<Body>[] = [];
  #consumerTurn = 0;
  /** A lane was parked without a consumer being asked that was full; every wake-up must then ask again. */
  #parkedUnasked = false;
  #draining = false;
  #unparkBudget = 0;
  #laneCount = 0;
  #sweepAt = SWEEP_MIN;

  constructor(host: TopicHost<Body>) {
    this.#host = host;
    this.#rescan = new Alarm({
      clock: host.clock,
      setTimer: host.setTimer,
      ring: () => {
        this.#unparkBudget = ASKED_LATER;
        if (this.hasConsumer) for (const entry of this.#unheard) this.expire(entry);
        this.drain();
      },
    });
  }

  get hasConsumer(): boolean {
    return this.#consumers.length > 0;
  }

  /** What is too old and waits for a consumer to hear of it. */
  get unheard(): Iterable<Entry<Body>> {
    return this.#unheard;
  }

  /** Whether it may be dropped: nobody listens and nothing lies in it. */
  get isIdle(): boolean {
    if (this.hasConsumer) return false;
    this.#sweep();
    return this.#laneCount === 0;
  }

  lane(tenant: string, name: string): Lane<Body> {
    let lanes = this.#tenants.get(tenant);
    const known = lanes?.lanes.get(name);
    if (known !== undefined) return known;
    if (this.#laneCount >= this.#sweepAt) this.#sweep();
    lanes = this.#tenants.get(tenant);
    if (lanes === undefined) {
      lanes = new TenantLanes<Body>(1 / this.#host.weightOf(tenant));
      this.#tenants.set(tenant, lanes);
    }
    const lane = new Lane<Body>(lanes, name);
    lanes.lanes.set(name, lane);
    this.#laneCount++;
    return lane;
  }

  setWeight(tenant: string, weight: number): void {
    const lanes = this.#tenants.get(tenant);
    if (lanes !== undefined) lanes.stride = 1 / weight;
  }

  /** Makes a message ready. The caller drains afterwards. */
  add(entry: Entry<Body>): void {
    const { lane } = entry;
    lane.add(entry);
    // A refused lane stays aside unless its first message is a new one: only that one was refused.
    if (lane.place === "idle" || lane.first() === entry) this.#rotation.enter(lane);
  }

  /** Takes a waiting message out. */
  remove(entry: Entry<Body>): void {
    this.#unheard.delete(entry);
    const { lane } = entry;
    const wasReady = entry.state === "ready";
    const wasFirst = wasReady && lane.first() === entry;
    if (wasReady) lane.take(entry);
    entry.moveTo("gone");
    if (!wasReady) return;
    if (lane.ready === 0) this.#rotation.leave(lane);
    else if (wasFirst) this.#rotation.enter(lane);
  }

  /**
   * Ends a waiting message that is too old, or tells of it again. Without a consumer to hear of it the first call only
   * notes it.
   * @returns whether the message waits no more
   */
  expire(entry: Entry<Body>): boolean {
    const consumer = this.#consumers[0];
    if (consumer === undefined && !this.#unheard.has(entry)) {
      this.#unheard.add(entry);
      return false;
    }
    this.remove(entry);
    this.#host.expire(entry, consumer);
    return true;
  }

  /** Brings messages and capacity together until one of them is used up. A call from within returns at once. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    try {
      do {
        while (this.#claimNext()) {
          // Everything happens in the condition.
        }
      } while (this.#unparkSome());
    } finally {
      this.#draining = false;
    }
  }

  subscribe(consumer: Consumer<Body>): Subscription {
    this.#consumers = [...this.#consumers, consumer];
    this.#wakeAll();
    // What waits comes a moment later: the consumer must hold its subscription before it is called.
    this.#rescan.ensure(this.#host.clock());
    return {
      wake: (lane) => {
        if (!this.#consumers.includes(consumer)) return;
        this.#wake(lane);
        this.drain();
      },
      close: () => {
        this.#consumers = this.#consumers.filter((other) => other !== consumer);
        return Promise.resolve();
      },
    };
  }

  depth(): LaneDepth[] {
    const depths: LaneDepth[] = [];
    for (const [tenant, { lanes }] of this.#tenants) {
      for (const [lane, { ready, delayed, claimed }] of lanes) {
        if (ready + delayed + claimed > 0) depths.push({ tenant, lane, ready, delayed, claimed });
      }
    }
    return depths;
  }

  close(): void {
    this.#consumers = [];
    this.#rescan.close();
  }

  #wake(named: Pick<Message<Body>, "tenant" | "lane"> | undefined): void {
    if (named === undefined || this.#parkedUnasked) return this.#wakeAll();
    const lane = this.#tenants.get(named.tenant)?.lanes.get(named.lane);
    if (lane?.place === "parked") this.#rotation.enter(lane);
  }

  #wakeAll(): void {
    this.#parkedUnasked = false;
    this.#rotation.wakeAll();
    this.#unparkBudget = ASKED_AT_ONCE;
  }

  /** @returns whether there may be more to do at once */
  #claimNext(): boolean {
    const lane = this.#rotation.next();
    if (lane === undefined) return false;
    const entry = lane.first();
    assert(entry !== undefined, "a lane of the rotation has a ready message");
    const consumer = this.#choose(entry.message);
    if (consumer === "full") return false;
    const nowMs = this.#host.clock();
    if (entry.message.expires_at_ms <= nowMs) return this.expire(entry);
    if (consumer === "refused") {
      this.#rotation.park(lane);
      return true;
    }
    lane.take(entry);
    entry.moveTo("claimed");
    this.#rotation.served(lane);
    const delivery = this.#host.claim(entry, consumer.leaseMs, nowMs);
    try {
      consumer.deliver(delivery);
    } catch (cause) {
      // The message stays claimed: the lease brings it back.
      this.#consumerFailed("deliver", cause);
    }
    return true;
  }

  /** Asks consumers in rotation for one that takes the message. */
  #choose(message: Message<Body>): Consumer<Body> | "full" | "refused" {
    const consumers = this.#consumers;
    let full = 0;
    for (let step = 0; step < consumers.length; step++) {
      const index = (this.#consumerTurn + step) % consumers.length;
      const consumer = consumers[index];
      if (consumer === undefined) break;
      if (!this.#isFree(consumer)) {
        full++;
      } else if (this.#takes(consumer, message)) {
        this.#consumerTurn = index + 1;
        return consumer;
      }
    }
    if (full === consumers.length) return "full";
    if (full > 0) this.#parkedUnasked = true;
    return "refused";
  }

  /** Asks some stale lanes again; what is left over its budget is asked later. */
  #unparkSome(): boolean {
    if (!this.#rotation.hasStale || !this.#hasCapacity()) return false;
    if (this.#unparkBudget <= 0) {
      this.#rescan.ensure(this.#host.clock());
      return false;
    }
    // Few at a time, so that those that are taken compete by weight and the budget is kept.
    const steps = Math.min(this.#unparkBudget, 32);
    this.#unparkBudget -= steps;
    return this.#rotation.unpark(steps);
  }

  #hasCapacity(): boolean {
    return this.#consumers.some((consumer) => this.#isFree(consumer));
  }

  #isFree(consumer: Consumer<Body>): boolean {
    try {
      return consumer.capacity() > 0;
    } catch (cause) {
      this.#consumerFailed("capacity", cause);
      return false;
    }
  }

  #takes(consumer: Consumer<Body>, message: Message<Body>): boolean {
    try {
      return consumer.accepts(message);
    } catch (cause) {
      this.#consumerFailed("accepts", cause);
      return false;
    }
  }

  #consumerFailed(method: string, cause: unknown): void {
    const message = `A consumer's ${method} threw; see the cause and mend the consumer.`;
    this.#host.report(new PlatformError("CS_INTERNAL", message, { cause }));
  }

  /** Drops empty lanes: functions come and go, the memory of their lanes must not grow for ever. */
  #sweep(): void {
    for (const [tenant, { lanes }] of this.#tenants) {
      for (const [name, lane] of lanes) {
        if (lane.isEmpty) this.#laneCount -= Number(lanes.delete(name));
      }
      if (lanes.size === 0) this.#tenants.delete(tenant);
    }
    this.#sweepAt = Math.max(SWEEP_MIN, 2 * this.#laneCount);
  }
}
