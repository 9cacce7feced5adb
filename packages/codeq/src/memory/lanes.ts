import type { Message } from "../codeq.ts";
import type { Identified } from "./id-table.ts";
import { type HeapItem, IndexedHeap } from "./indexed-heap.ts";
import { IntrusiveList, type Linked } from "./intrusive-list.ts";

/**
 * Where a message is.
 *
 *     gone → appending → ready | delayed → claimed → gone | ready | delayed | dead
 *                ↓             ↓                        dead → appending | ready
 *               gone          gone (cancelled) | expired → gone | dead
 *
 * `appending` exists for durable messages only: the journal has not confirmed it yet. `expired` lasts until a consumer
 * has said what becomes of it.
 */
export type EntryState = "appending" | "ready" | "delayed" | "claimed" | "expired" | "dead" | "gone";

/** What an entry names when its message is gone. */
export const SPENT: Message<unknown> = Object.freeze({
  id: "",
  topic: "",
  tenant: "",
  lane: "",
  body: undefined,
  attempt: 1,
  enqueued_at_ms: 0,
  due_at_ms: 0,
  expires_at_ms: 0,
});

/** A message inside the queue. Its heap fields belong to the heap of deadlines. */
export class Entry<Body> implements HeapItem, Linked<Entry<Body>>, Identified<Entry<Body>> {
  readonly id: string;
  message: Message<Body>;
  readonly lane: Lane<Body>;
  readonly durable: boolean;
  state: EntryState = "gone";
  /** Place in the order of the lane, given when it first becomes ready. */
  sequence = 0;
  /** Was claimed before: goes to the front of its lane. */
  returned = false;
  /** The claim that holds it; an older claim has lost its lease. */
  claim: object | null = null;
  /** Settles when the journal has it. */
  appended: Promise<void> | null = null;
  place: ReturnedPlace<Body> | null = null;
  previous: Entry<Body> | null = null;
  next: Entry<Body> | null = null;
  hash = 0;
  chained: Entry<Body> | undefined;
  heapKey = 0;
  heapOrder = 0;
  heapIndex = -1;

  constructor(message: Message<Body>, lane: Lane<Body>, durable: boolean) {
    this.id = message.id;
    this.message = message;
    this.lane = lane;
    this.durable = durable;
  }

  get isWaiting(): boolean {
    return this.state === "ready" || this.state === "delayed";
  }

  /** @returns whether it is durable, the tenant's in this topic, and waits or is claimed */
  isOpen(topic: string, tenant: string): boolean {
    const { durable, isWaiting, state, message } = this;
    if (!durable || !(isWaiting || state === "claimed")) return false;
    return message.tenant === tenant && message.topic === topic;
  }

  moveTo(state: EntryState): void {
    this.lane.count(this.state, this.durable, -1);
    this.lane.count(state, this.durable, 1);
    this.state = state;
  }
}

/** A returned message among those at the front of its lane, ordered by first start. */
interface ReturnedPlace<Body> extends HeapItem {
  entry: Entry<Body>;
}

/** One FIFO. Returned messages stand before all others, in the order in which they came first. */
export class Lane<Body> implements Linked<Lane<Body>> {
  readonly tenant: TenantLanes<Body>;
  readonly name: string;
  ready = 0;
  delayed = 0;
  claimed = 0;
  /** Whether it takes part in the rotation (`active`), was refused (`parked`) or has nothing ready. */
  place: "idle" | "active" | "parked" = "idle";
  /** The wake-up in whose time it was refused. */
  refusedIn = 0;
  previous: Lane<Body> | null = null;
  next: Lane<Body> | null = null;
  readonly #fifo = new IntrusiveList<Entry<Body>>();
  readonly #returned = new IndexedHeap<ReturnedPlace<Body>>();
  #sequence = 0;
  #waitingDurable = 0;
  #waitingVolatile = 0;

  constructor(tenant: TenantLanes<Body>, name: string) {
    this.tenant = tenant;
    this.name = name;
  }

  get isEmpty(): boolean {
    return this.claimed === 0 && this.#waitingDurable === 0 && this.#waitingVolatile === 0;
  }

  /** Messages that wait, those the journal has not confirmed included. */
  waiting(durable: boolean): number {
    return durable ? this.#waitingDurable : this.#waitingVolatile;
  }

  first(): Entry<Body> | undefined {
    return this.#returned.peek()?.entry ?? this.#fifo.head ?? undefined;
  }

  /** Puts a message to the tail, a returned one to the front. */
  add(entry: Entry<Body>): void {
    if (entry.sequence === 0) entry.sequence = ++this.#sequence;
    if (entry.returned) {
      entry.place = { entry, heapKey: entry.sequence, heapOrder: 0, heapIndex: -1 };
      this.#returned.push(entry.place);
    } else {
      this.#fifo.push(entry);
    }
    entry.moveTo("ready");
  }

  /** Takes out a ready message. */
  take(entry: Entry<Body>): void {
    if (entry.place === null) {
      this.#fifo.remove(entry);
    } else {
      this.#returned.remove(entry.place);
      entry.place = null;
    }
  }

  count(state: EntryState, durable: boolean, by: 1 | -1): void {
    if (state === "ready") this.ready += by;
    else if (state === "delayed") this.delayed += by;
    else if (state === "claimed") this.claimed += by;
    if (state !== "ready" && state !== "delayed" && state !== "appending") return;
    if (durable) this.#waitingDurable += by;
    else this.#waitingVolatile += by;
  }
}

/** The lanes of one tenant in one topic. The heap orders tenants by virtual time. */
export class TenantLanes<Body> implements HeapItem, Linked<TenantLanes<Body>> {
  readonly lanes = new Map<string, Lane<Body>>();
  readonly active = new IntrusiveList<Lane<Body>>();
  readonly parked = new IntrusiveList<Lane<Body>>();
  /** Virtual time one delivery costs: 1 / weight. */
  stride: number;
  /** The list of tenants with parked lanes it stands in. */
  parkedIn: IntrusiveList<TenantLanes<Body>> | null = null;
  previous: TenantLanes<Body> | null = null;
  next: TenantLanes<Body> | null = null;
  heapKey = 0;
  heapOrder = 0;
  heapIndex = -1;

  constructor(stride: number) {
    this.stride = stride;
  }
}
