import { PlatformError } from "@sous/contract";
import type { Consumer, DiscardedMessages, ExpiredEnd, FoundMessage, Message } from "../codeq.ts";
import type { DeadLetterBounds } from "../dead-letter-bounds.ts";
import { Alarm, type SetTimer } from "./alarm.ts";
import { Claim, type ClaimKeeper } from "./claim.ts";
import { DeadLetterTrimmer } from "./dead-letter-trimmer.ts";
import { DeadLetters } from "./dead-letters.ts";
import type { DurableLog, RestoredMessage } from "./durable-log.ts";
import { IdTable } from "./id-table.ts";
import { IndexedHeap } from "./indexed-heap.ts";
import { Entry, SPENT } from "./lanes.ts";
import { LeaseWheel } from "./lease-wheel.ts";
import { type TopicHost, TopicQueue } from "./topic-queue.ts";

/** Shared by every call that has nothing to wait for: a promise for each message would be its largest cost. */
const DONE = Promise.resolve();
const HELD = Promise.resolve(true);
const LOST = Promise.resolve(false);

/** Deadlines handled before other work of the process gets its turn. */
const DEADLINES_AT_ONCE = 1024;
/** Topics without consumer and content are dropped when this many exist, or twice as many as were left. */
const TOPIC_SWEEP_MIN = 256;

export interface EngineOptions<Body> {
  clock: () => number;
  setTimer: SetTimer;
  log: DurableLog<Body> | undefined;
  leaseTickMs: number;
  deadVolatileMax: number;
  deadLetters: DeadLetterBounds;
  onDeadLettersDropped: (topic: string, count: number) => void;
  /** @returns bytes of a body as text */
  bytesOf: (body: Body) => number;
  expiredHoldMs: number;
  report: (error: PlatformError) => void;
}

interface TopicState<Body> {
  queue: TopicQueue<Body>;
  dead: DeadLetters<Body>;
}

/** Every message of the memory queue and the transitions between its states (see `EntryState`). */
export class Engine<Body> implements TopicHost<Body>, ClaimKeeper<Body> {
  readonly clock: () => number;
  readonly setTimer: SetTimer;
  readonly report: (error: PlatformError) => void;
  readonly #options: EngineOptions<Body>;
  readonly #log: DurableLog<Body> | undefined;
  readonly #entries = new IdTable<Entry<Body>>();
  readonly #topics = new Map<string, TopicState<Body>>();
  readonly #weights = new Map<string, number>();
  /** When a waiting message is due or too old, whichever comes first. */
  readonly #deadlines = new IndexedHeap<Entry<Body>>();
  readonly #alarm: Alarm;
  readonly #leases: LeaseWheel<Claim<Body>>;
  readonly #trimmer: DeadLetterTrimmer<Body>;
  #watched = 0;
  #topicSweepAt = TOPIC_SWEEP_MIN;

  constructor(options: EngineOptions<Body>) {
    const { clock, setTimer } = options;
    this.#options = options;
    this.clock = clock;
    this.setTimer = setTimer;
    this.report = options.report;
    this.#log = options.log;
    this.#alarm = new Alarm({ clock, setTimer, ring: () => this.#deadlinesPassed() });
    this.#trimmer = new DeadLetterTrimmer<Body>({
      clock,
      setTimer,
      bounds: options.deadLetters,
      topics: this.#topics,
      onTrimmed: (topic, entries) => this.#dropDead(topic, entries),
    });
    this.#leases = new LeaseWheel<Claim<Body>>({
      clock,
      setTimer,
      tickMs: options.leaseTickMs,
      onLost: (claim) => this.#leaseLost(claim),
    });
  }

  /** @returns the message with this id that waits, is claimed or dead */
  find(id: string): Entry<Body> | undefined {
    return this.#entries.get(id);
  }

  /** @returns the durable message with this id that waits or is claimed, once its publisher was told that it is taken */
  acknowledged(topic: string, tenant: string, id: string): Message<Body> | undefined {
    const entry = this.#entries.get(id);
    return entry !== undefined && entry.isOpen(topic, tenant) ? entry.message : undefined;
  }

  /** Every such message of a tenant, in no order. */
  *open(topic: string, tenant: string): IterableIterator<FoundMessage<Body>> {
    for (const entry of this.#entries.values()) {
      if (!entry.isOpen(topic, tenant)) continue;
      const { message, isWaiting } = entry;
      yield { message, wasDelivered: !isWaiting || message.attempt > 1 };
    }
  }

  topic(name: string): TopicState<Body> {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      if (this.#topics.size >= this.#topicSweepAt) this.#sweepTopics();
      const { deadLetters: bounds, deadVolatileMax: volatileMax } = this.#options;
      topic = { queue: new TopicQueue<Body>(this), dead: new DeadLetters({ bounds, volatileMax }) };
      this.#topics.set(name, topic);
    }
    return topic;
  }

  weightOf(tenant: string): number {
    return this.#weights.get(tenant) ?? 1;
  }

  setWeight(tenant: string, weight: number): void {
    if (weight === 1) this.#weights.delete(tenant);
    else this.#weights.set(tenant, weight);
    for (const { queue } of this.#topics.values()) queue.setWeight(tenant, weight);
  }

  /** Takes in a message that is in no journal, and hands it over within this call where somebody takes it. */
  admit(entry: Entry<Body>): void {
    this.#entries.set(entry);
    this.#enqueue(entry);
  }

  /** Takes in a message as soon as the journal has it; until then it only counts. */
  async admitDurable(entry: Entry<Body>, log: DurableLog<Body>): Promise<void> {
    this.#entries.set(entry);
    entry.moveTo("appending");
    try {
      await log.append(entry.message);
    } catch (error) {
      entry.moveTo("gone");
      this.#entries.delete(entry.id);
      throw error;
    }
    entry.appended = null;
    this.#enqueue(entry);
  }

  restore({ message, deadReason }: RestoredMessage<Body>): void {
    const { queue } = this.topic(message.topic);
    const entry = new Entry(message, queue.lane(message.tenant, message.lane), true);
    entry.returned = message.attempt > 1;
    this.#entries.set(entry);
    if (deadReason === undefined) {
      this.#enqueue(entry);
    } else {
      entry.moveTo("dead");
      this.#addDead(entry, deadReason);
    }
  }

  /** Takes in a message that another process's engine knew as claimed. */
  adoptClaimed(entry: Entry<Body>, leaseMs: number): Claim<Body> {
    this.#entries.set(entry);
    // Through its lane, which gives it its place in the order for when it comes back.
    entry.lane.add(entry);
    entry.lane.take(entry);
    entry.moveTo("claimed");
    return this.claim(entry, leaseMs, this.clock());
  }

  /** Takes in a message that another process's engine knew as dead. */
  adoptDead(entry: Entry<Body>, reason: string): void {
    this.#entries.set(entry);
    entry.moveTo("dead");
    this.#addDead(entry, reason);
  }

  /** Takes out a waiting message. */
  async cancel(entry: Entry<Body>): Promise<void> {
    const { queue } = this.topic(entry.message.topic);
    queue.remove(entry);
    this.forget(entry);
    // The next message of its lane may be one that somebody takes.
    queue.drain();
    if (entry.durable) await this.#log?.remove(entry.message.id);
  }

  topicNames(): string[] {
    return [...this.#topics.keys()];
  }

  /** Lets go of waiting messages of a topic, unheard; for all of them it looks through everything. @returns how many */
  discard(topic: string, which: DiscardedMessages, limit: number): number {
    const { queue } = this.topic(topic);
    const found: Entry<Body>[] = [];
    for (const entry of which === "all" ? this.#entries.values() : queue.unheard) {
      if (found.length === limit) break;
      if (entry.isWaiting && entry.message.topic === topic) found.push(entry);
    }
    for (const entry of found) {
      queue.remove(entry);
      this.expire(entry, undefined);
    }
    queue.drain();
    return found.length;
  }

  /** Puts a dead letter back as a new message of the same age allowance. */
  async redrive(topicName: string, id: string): Promise<boolean> {
    const { queue, dead } = this.topic(topicName);
    const letter = dead.take(id);
    if (letter === undefined) return false;
    const { message: old, durable } = letter.entry;
    const nowMs = this.clock();
    const expires_at_ms = nowMs + old.expires_at_ms - old.enqueued_at_ms;
    const message = { ...old, attempt: 1, enqueued_at_ms: nowMs, due_at_ms: 0, expires_at_ms };
    const entry = new Entry(message, queue.lane(old.tenant, old.lane), durable);
    this.#entries.set(entry);
    if (durable) {
      entry.moveTo("appending");
      try {
        await this.#log?.replace(message);
      } catch (error) {
        entry.moveTo("gone");
        this.#entries.set(letter.entry);
        this.#addDead(letter.entry, letter.reason);
        throw error;
      }
    }
    this.#enqueue(entry);
    return true;
  }

  /** Takes a dead letter away for good. */
  async removeDead(topicName: string, tenant: string, id: string): Promise<boolean> {
    const { dead } = this.topic(topicName);
    const letter = dead.find(tenant, id);
    if (letter === undefined) return false;
    dead.take(id);
    letter.entry.moveTo("gone");
    this.forget(letter.entry);
    if (letter.entry.durable) await this.#log?.remove(id);
    return true;
  }

  claim(entry: Entry<Body>, leaseMs: number, nowMs: number): Claim<Body> {
    this.#deadlines.remove(entry);
    const claim = new Claim(entry, nowMs + leaseMs, this);
    entry.claim = claim;
    this.#leases.add(claim, nowMs);
    // Nobody waits for this write: it only makes sure that a message that takes the process down with it
    // comes back as a later attempt, and so reaches its last one.
    if (entry.durable) this.#inBackground(this.#log?.update(nextAttempt(entry.message, 0)));
    return claim;
  }

  extend(claim: Claim<Body>, leaseMs: number): Promise<boolean> {
    if (claim.entry.claim !== claim) return LOST;
    const nowMs = this.clock();
    this.#leases.remove(claim);
    claim.leaseUntilMs = nowMs + leaseMs;
    this.#leases.add(claim, nowMs);
    return HELD;
  }

  ack(claim: Claim<Body>): Promise<void> {
    const { entry } = claim;
    if (entry.claim !== claim) return DONE;
    this.#end(claim);
    entry.moveTo("gone");
    this.forget(entry);
    // Whoever still names the entry must not hold the body.
    entry.message = SPENT as Message<Body>;
    return entry.durable && this.#log ? this.#log.remove(entry.id) : DONE;
  }

  nack(claim: Claim<Body>, delayMs: number): Promise<void> {
    const { entry } = claim;
    if (entry.claim !== claim) return DONE;
    this.#end(claim);
    entry.message = nextAttempt(entry.message, delayMs > 0 ? this.clock() + delayMs : 0);
    // Issued before the message can be claimed again: the journal must see the writes in this order.
    const written = entry.durable && this.#log ? this.#log.update(entry.message) : DONE;
    entry.returned = true;
    this.#enqueue(entry);
    return written;
  }

  release(claim: Claim<Body>): Promise<void> {
    const { entry } = claim;
    if (entry.claim !== claim) return DONE;
    this.#end(claim);
    // The claim had written the next attempt; this one was none.
    const written = entry.durable && this.#log ? this.#log.update(entry.message) : DONE;
    entry.returned = true;
    this.#enqueue(entry);
    return written;
  }

  deadLetter(claim: Claim<Body>, reason: string): Promise<void> {
    const { entry } = claim;
    if (entry.claim !== claim) return DONE;
    this.#end(claim);
    return this.#bury(entry, reason);
  }

  forget(entry: Entry<Body>): void {
    this.#deadlines.remove(entry);
    this.#entries.delete(entry.id);
  }

  expire(entry: Entry<Body>, consumer: Consumer<Body> | undefined): void {
    this.#deadlines.remove(entry);
    entry.moveTo("expired");
    if (consumer === undefined) {
      this.#expired(entry);
      return;
    }
    try {
      const said = consumer.onExpired(entry.message);
      if (!(said instanceof Promise)) {
        // Here, so that what the consumer has written about it is in the store's transaction too.
        this.#expired(entry, said);
        return;
      }
      said.then(
        (reason) => this.#expired(entry, reason),
        (cause: unknown) => this.#onExpiredFailed(cause),
      );
    } catch (cause) {
      this.#onExpiredFailed(cause);
    }
    entry.heapKey = this.clock() + this.#options.expiredHoldMs;
    this.#deadlines.push(entry);
    this.#alarm.ensure(entry.heapKey);
  }

  async close(): Promise<void> {
    this.#alarm.close();
    this.#leases.close();
    this.#trimmer.close();
    for (const { queue } of this.#topics.values()) queue.close();
    await this.#log?.settled();
  }

  /** Makes a message wait, hands it over if somebody takes it at once, and else watches its deadline. */
  #enqueue(entry: Entry<Body>): void {
    const { due_at_ms } = entry.message;
    if (due_at_ms > 0 && due_at_ms > this.clock()) {
      entry.moveTo("delayed");
    } else {
      const { queue } = this.topic(entry.message.topic);
      queue.add(entry);
      queue.drain();
    }
    if (entry.isWaiting) this.#watch(entry);
  }

  #watch(entry: Entry<Body>): void {
    if (entry.heapIndex >= 0) return;
    const { due_at_ms, expires_at_ms } = entry.message;
    entry.heapKey = entry.state === "delayed" ? Math.min(due_at_ms, expires_at_ms) : expires_at_ms;
    entry.heapOrder = ++this.#watched;
    this.#deadlines.push(entry);
    this.#alarm.ensure(entry.heapKey);
  }

  #deadlinesPassed(): void {
    const nowMs = this.clock();
    const touched = new Set<TopicQueue<Body>>();
    let entry = this.#deadlines.peek();
    for (let count = 0; entry !== undefined && entry.heapKey <= nowMs; count++) {
      if (count === DEADLINES_AT_ONCE) break;
      this.#deadlines.remove(entry);
      touched.add(this.#deadlinePassed(entry, nowMs));
      entry = this.#deadlines.peek();
    }
    for (const queue of touched) queue.drain();
    const next = this.#deadlines.peek();
    if (next !== undefined) this.#alarm.ensure(next.heapKey);
  }

  #deadlinePassed(entry: Entry<Body>, nowMs: number): TopicQueue<Body> {
    const { queue } = this.topic(entry.message.topic);
    if (entry.message.expires_at_ms <= nowMs) {
      if (queue.expire(entry)) return queue;
      // Nobody listens yet, as after a restart: one more chance, then it goes unheard.
      entry.heapKey = nowMs + this.#options.expiredHoldMs;
      this.#deadlines.push(entry);
    } else if (entry.state === "delayed") {
      queue.add(entry);
      this.#watch(entry);
    }
    return queue;
  }

  #expired(entry: Entry<Body>, reason?: ExpiredEnd): void {
    if (entry.state !== "expired") return;
    this.#deadlines.remove(entry);
    if (reason !== undefined) {
      this.#inBackground(this.#bury(entry, reason));
      return;
    }
    entry.moveTo("gone");
    this.forget(entry);
    if (entry.durable) this.#inBackground(this.#log?.remove(entry.id));
  }

  #onExpiredFailed(cause: unknown): void {
    const message =
      "A consumer's onExpired failed, and is called again; see the cause and mend the consumer.";
    this.report(new PlatformError("CS_INTERNAL", message, { cause }));
  }

  #bury(entry: Entry<Body>, reason: string): Promise<void> {
    entry.moveTo("dead");
    // When it died is kept where a waiting message says when it is due.
    entry.message = { ...entry.message, due_at_ms: this.clock() };
    const written = entry.durable && this.#log ? this.#log.update(entry.message, reason) : DONE;
    this.#addDead(entry, reason);
    return written;
  }

  #addDead(entry: Entry<Body>, reason: string): void {
    const { topic, body } = entry.message;
    this.#dropDead(topic, this.topic(topic).dead.add(entry, reason, this.#options.bytesOf(body)));
    this.#trimmer.start();
  }

  #dropDead(topic: string, dropped: readonly Entry<Body>[]): void {
    for (const entry of dropped) {
      entry.moveTo("gone");
      this.forget(entry);
      if (entry.durable) this.#inBackground(this.#log?.remove(entry.id));
    }
    if (dropped.length > 0) this.#options.onDeadLettersDropped(topic, dropped.length);
  }

  #leaseLost(claim: Claim<Body>): void {
    const { entry } = claim;
    entry.claim = null;
    entry.message = nextAttempt(entry.message, 0);
    entry.returned = true;
    this.#enqueue(entry);
  }

  #end(claim: Claim<Body>): void {
    claim.entry.claim = null;
    this.#leases.remove(claim);
  }

  #inBackground(write: Promise<void> | undefined): void {
    write?.catch((error: PlatformError) => this.report(error));
  }

  #sweepTopics(): void {
    for (const [name, { queue, dead }] of this.#topics) {
      if (dead.size > 0 || !queue.isIdle) continue;
      queue.close();
      this.#topics.delete(name);
    }
    this.#topicSweepAt = Math.max(TOPIC_SWEEP_MIN, 2 * this.#topics.size);
  }
}

function nextAttempt<Body>(message: Message<Body>, dueAtMs: number): Message<Body> {
  return { ...message, attempt: message.attempt + 1, due_at_ms: dueAtMs };
}
