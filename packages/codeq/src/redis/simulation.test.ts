import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { PlatformError } from "@sous/contract";
import type { Delivery, Message, MessagePlace, Subscription } from "../codeq.ts";
import { createRandom } from "../contract/random.ts";
import { RedisCodeQ } from "./redis-codeq.ts";
import { withRedis } from "@sous/store/testing";

const TOPIC = "cs.invoke";
const TENANTS = ["t_tenant1", "t_tenant2", "t_tenant3"];
const LANES = ["default/aaa", "default/bbb"];
const TICK_MS = 10;
const LEASE_MS = 500;
const STEPS = 400;

/** What the model knows of one message; it ends as `gone` or `dead`. */
interface Known {
  message: Message<number>;
  durable: boolean;
  state: "waiting" | "held" | "dead" | "gone";
  /** The attempt its next delivery must be. */
  attempt: number;
  dueAtMs: number;
  leaseUntilMs: number;
  /** Place in its lane: when it became ready, and as which. */
  place: readonly [readyAtMs: number, late: 0 | 1, serial: number];
  started: boolean;
  delivery: Delivery<number> | undefined;
}

const laneOf = ({ message: { tenant, lane } }: Known): string => `${tenant}/${lane}`;

const comesAfter = (a: Known["place"], b: Known["place"]): boolean =>
  (a[0] - b[0] || a[1] - b[1] || a[2] - b[2]) > 0;

/** One process that consumes: it may be cut off at any moment, and then holds what it held for the lease only. */
interface Process {
  queue: RedisCodeQ<number, null>;
  subscription: Subscription;
  held: Delivery<number>[];
  slots: number;
  /** Place of the last message of a lane that started here. */
  lastStart: Map<string, Known["place"]>;
}

/**
 * A simple model beside the queue of several processes on one server, driven by the same operations; the scripts go
 * by a clock that the test moves. It checks each delivery: nothing twice unless it was returned or its lease ended,
 * first starts in order, attempts counted, refusals only at the bound, and that nothing is left lying.
 */
class Simulation implements AsyncDisposable {
  readonly random: ReturnType<typeof createRandom>;
  readonly known = new Map<string, Known>();
  readonly lastStart = new Map<string, Known["place"]>();
  readonly processes: Process[] = [];
  readonly #url: string;
  nowMs = 1_800_000_000_000;
  deliveries = 0;
  crashes = 0;
  #serial = 0;

  constructor(seed: number, url: string) {
    this.random = createRandom(seed);
    this.#url = `${url}?prefix=sim-${randomUUID()}:`;
  }

  async start(): Promise<void> {
    const clock = (): number => this.nowMs;
    const options = { url: this.#url, clock, onError: assert.fail };
    const queue = await RedisCodeQ.open<number, null>(options, { serverNow: clock, togetherBehind: 0 });
    const process: Process = {
      queue,
      held: [],
      lastStart: new Map(),
      slots: 1 + this.random.below(4),
      subscription: undefined as never,
    };
    this.processes.push(process);
    process.subscription = await queue.consume({
      topic: TOPIC,
      leaseMs: LEASE_MS,
      capacity: () => process.slots - process.held.length,
      accepts: () => true,
      deliver: (delivery) => this.#delivered(process, delivery),
      onExpired: ({ id }) => {
        const known = this.#get(id);
        this.#lease(known);
        assert.equal(known.state, "waiting", `${id} expires only while it waits`);
        assert.ok(known.message.expires_at_ms <= this.nowMs, `${id} is too old`);
        known.state = "gone";
      },
    });
  }

  /** Ends a process as if it were killed: what it holds is nobody's until the leases end. */
  async crash(): Promise<void> {
    const process = this.random.pick(this.processes);
    if (process === undefined) return;
    this.crashes++;
    this.processes.splice(this.processes.indexOf(process), 1);
    await process.queue[Symbol.asyncDispose]();
    await this.start();
  }

  async publish(): Promise<void> {
    const [known] = this.#messages(1);
    assert.ok(known);
    const depthMax = 1 + this.random.below(8);
    const waiting = this.#waitingBeside(known);
    try {
      await this.#any().queue.publish(known.message, { depthMax, durable: known.durable });
      assert.ok(waiting < depthMax, "taken only below the bound");
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      assert.equal(error.code, "CS_QUEUE_FULL");
      assert.ok(waiting >= depthMax, "refused only at the bound");
      this.known.delete(known.message.id);
    }
  }

  /** Publishes several that differ in id and body only in one call, some of them refused. */
  async publishTogether(): Promise<void> {
    const group = this.#messages(2 + this.random.below(8));
    const depthMax = 1 + this.random.below(40);
    const [first] = group;
    assert.ok(first);
    let waiting = this.#waitingBeside(first) - group.length + 1;
    const { queue } = this.#any();
    const outcomes = await Promise.allSettled(
      group.map(({ message, durable }) => queue.publish(message, { depthMax, durable })),
    );
    for (const [at, { status }] of outcomes.entries()) {
      assert.equal(status === "fulfilled", waiting < depthMax, "taken up to the bound, in order");
      if (status === "fulfilled") waiting++;
      else this.known.delete(group[at]?.message.id ?? "");
    }
  }

  /** Makes up messages that differ in id and body only; several are ready, and their ids in another order than they. */
  #messages(count: number): Known[] {
    const { random, nowMs } = this;
    const due_at_ms = count === 1 && random.below(4) === 0 ? nowMs + random.below(100) * TICK_MS : 0;
    const late = due_at_ms > nowMs;
    const alike = {
      topic: TOPIC,
      tenant: random.pick(TENANTS) ?? "",
      lane: random.pick(LANES) ?? "",
      attempt: 1,
      enqueued_at_ms: nowMs,
      due_at_ms,
      expires_at_ms: nowMs + (1 + random.below(500)) * TICK_MS,
    };
    const durable = random.below(2) === 0;
    return Array.from({ length: count }, () => {
      const serial = ++this.#serial;
      const known: Known = {
        message: { ...alike, id: count === 1 ? `m${serial}` : `m${serial % 7}-${serial}`, body: serial },
        durable,
        state: "waiting",
        attempt: 1,
        dueAtMs: due_at_ms,
        leaseUntilMs: 0,
        place: [late ? due_at_ms : nowMs, late ? 0 : 1, serial],
        started: false,
        delivery: undefined,
      };
      this.known.set(known.message.id, known);
      return known;
    });
  }

  #waitingBeside(known: Known): number {
    return this.#all("waiting").filter(
      (other) => other !== known && other.durable === known.durable && laneOf(other) === laneOf(known),
    ).length;
  }

  /** Asks for a message by id, and for the newest ones of a tenant, page by page. */
  async look(): Promise<void> {
    const { lookup } = this.#any().queue;
    const known = this.random.pick([...this.known.values()]);
    const tenant = this.random.pick(TENANTS) ?? "";
    for (const each of this.known.values()) this.#lease(each);
    const isThere = ({ durable, state }: Known): boolean => durable && state !== "gone" && state !== "dead";
    if (known !== undefined) {
      const { id, tenant: owner } = known.message;
      const found = await lookup.find(TOPIC, owner, id);
      assert.equal(found?.body, isThere(known) ? known.message.body : undefined, id);
    }
    const limit = 1 + this.random.below(10);
    const ids: string[] = [];
    let below: MessagePlace | undefined;
    do {
      const page = await lookup.newest(TOPIC, { tenant }, below, limit);
      assert.ok(page.found.length <= limit);
      ids.push(...page.found.map(({ message: { id } }) => id));
      below = page.next;
    } while (below !== undefined);
    const expected = [...this.known.values()]
      .filter((each) => isThere(each) && each.message.tenant === tenant)
      .map(({ message }) => message)
      .toSorted((a, b) => b.enqueued_at_ms - a.enqueued_at_ms || (a.id < b.id ? 1 : -1));
    assert.deepEqual(
      ids,
      expected.map(({ id }) => id),
    );
  }

  async duplicate(): Promise<void> {
    const known = this.random.pick([...this.known.values()].filter(({ state }) => state !== "gone"));
    if (known === undefined) return;
    const { message, durable } = known;
    await this.#any().queue.publish({ ...message, attempt: 1 }, { depthMax: 100, durable });
  }

  async end(): Promise<void> {
    const process = this.#any();
    const delivery = this.random.pick(process.held);
    if (delivery === undefined) return;
    process.held.splice(process.held.indexOf(delivery), 1);
    const known = this.#get(delivery.message.id);
    const owns = known.delivery === delivery;
    const choice = this.random.below(6);
    if (choice <= 1) {
      if (owns) known.state = "gone";
      await delivery.ack();
    } else if (choice <= 3) {
      const delayMs = this.random.below(3) * 5 * TICK_MS;
      if (owns) this.#returned(known, 1, delayMs > 0 ? this.nowMs + delayMs : 0);
      await delivery.nack(delayMs);
    } else if (choice === 4) {
      if (owns) this.#returned(known, 0, 0);
      await delivery.release();
    } else {
      if (owns) known.state = "dead";
      await delivery.deadLetter("simulated");
    }
    process.subscription.wake(delivery.message);
  }

  async extend(): Promise<void> {
    const delivery = this.random.pick(this.#any().held);
    if (delivery === undefined) return;
    const known = this.#get(delivery.message.id);
    const owns = known.delivery === delivery;
    const leaseMs = (1 + this.random.below(100)) * TICK_MS;
    assert.equal(await delivery.extend(leaseMs), owns);
    if (owns) known.leaseUntilMs = this.nowMs + leaseMs;
  }

  async cancel(): Promise<void> {
    const known = this.random.pick([...this.known.values()]);
    if (known === undefined) return;
    const isWaiting = known.state === "waiting";
    const topic = this.random.below(2) === 0 ? TOPIC : undefined;
    const cancelled = await this.#any().queue.cancel(known.message.id, topic);
    assert.equal(cancelled !== undefined, isWaiting, known.message.id);
    if (isWaiting) known.state = "gone";
  }

  async redrive(): Promise<void> {
    const known = this.random.pick(this.#all("dead"));
    if (known === undefined) return;
    const { message } = known;
    const expires_at_ms = this.nowMs + message.expires_at_ms - message.enqueued_at_ms;
    known.message = { ...message, enqueued_at_ms: this.nowMs, due_at_ms: 0, expires_at_ms };
    Object.assign(known, { state: "waiting", attempt: 1, dueAtMs: 0, started: false });
    known.place = [this.nowMs, 1, ++this.#serial];
    assert.equal(await this.#any().queue.redrive(TOPIC, message.id), 1);
  }

  change(): void {
    const process = this.#any();
    process.slots = this.random.below(6);
    process.subscription.wake();
  }

  /** Moves the clock to each moment at which something falls due, and lets the queue see to it there. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    while (this.nowMs < untilMs) {
      this.nowMs += TICK_MS;
      const isDue = [...this.known.values()].some(
        ({ state, dueAtMs, leaseUntilMs, message }) =>
          (state === "waiting" && (dueAtMs === this.nowMs || message.expires_at_ms === this.nowMs)) ||
          (state === "held" && leaseUntilMs <= this.nowMs),
      );
      if (isDue) await this.settle();
    }
  }

  /** Waits until the queue did all it will do by itself at this moment. */
  async settle(): Promise<void> {
    for (const { queue } of this.processes) {
      queue.look();
      await queue.settled();
    }
    // What one made deliverable another may take.
    for (const { queue } of this.processes) await queue.settled();
  }

  /** Compares what the queue says with the model, and that nothing deliverable was left lying. */
  async check(): Promise<void> {
    await this.settle();
    for (const known of this.known.values()) this.#lease(known);
    const expected = new Map<string, { ready: number; delayed: number; claimed: number }>();
    const room = this.processes.some(({ held, slots }) => held.length < slots);
    for (const known of this.known.values()) {
      if (known.state !== "waiting" && known.state !== "held") continue;
      const counts = expected.get(laneOf(known)) ?? { ready: 0, delayed: 0, claimed: 0 };
      expected.set(laneOf(known), counts);
      const isDue = known.dueAtMs <= this.nowMs;
      if (known.state === "held") counts.claimed++;
      else if (isDue) counts.ready++;
      else counts.delayed++;
      if (known.state === "held") continue;
      const last = this.lastStart.get(laneOf(known));
      assert.ok(
        known.started || !isDue || last === undefined || comesAfter(known.place, last),
        `${known.message.id} was passed by`,
      );
      assert.ok(known.message.expires_at_ms > this.nowMs, `${known.message.id} expired unseen`);
      assert.ok(!isDue || !room, `${known.message.id} was left lying`);
    }
    const { queue } = this.#any();
    const depth = await queue.depth(TOPIC);
    const actual = depth.map(({ tenant, lane, ...counts }) => [`${tenant}/${lane}`, counts] as const);
    assert.deepEqual(new Map(actual.toSorted()), new Map([...expected].toSorted()));
    assert.equal((await queue.dead(TOPIC, 1e6)).length, this.#all("dead").length);
  }

  /** Lets everything through, so that each message comes to its end. */
  async finish(): Promise<void> {
    for (const process of this.processes) process.slots = Infinity;
    for (let round = 0; round < 500 && this.#all("waiting", "held").length > 0; round++) {
      for (const process of this.processes) {
        process.subscription.wake();
        for (const delivery of process.held.splice(0)) {
          const known = this.#get(delivery.message.id);
          if (known.delivery === delivery) known.state = "gone";
          await delivery.ack();
        }
      }
      await this.advance(10 * TICK_MS);
      await this.settle();
    }
    assert.deepEqual(this.#all("waiting", "held"), []);
    const { queue } = this.#any();
    assert.deepEqual(await queue.depth(TOPIC), []);
    assert.equal((await queue.dead(TOPIC, 1e6)).length, this.#all("dead").length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.processes.map(({ queue }) => queue[Symbol.asyncDispose]()));
  }

  #delivered(process: Process, delivery: Delivery<number>): void {
    const { message } = delivery;
    const known = this.#get(message.id);
    this.#lease(known);
    assert.ok(this.processes.includes(process), "a closed queue delivers nothing");
    assert.equal(known.state, "waiting", `${message.id} is delivered only while it waits`);
    assert.equal(message.attempt, known.attempt, `${message.id} comes as the right attempt`);
    assert.equal(message.body, known.message.body);
    assert.ok(known.dueAtMs <= this.nowMs, `${message.id} is due`);
    assert.ok(this.nowMs < known.message.expires_at_ms, `${message.id} is not too old`);
    assert.ok(process.held.length < process.slots, "somebody takes it");
    if (!known.started) {
      const lane = laneOf(known);
      const here = process.lastStart.get(lane);
      assert.ok(here === undefined || comesAfter(known.place, here), `${message.id} starts in order`);
      process.lastStart.set(lane, known.place);
      // Answers to several processes may come in any order.
      const last = this.lastStart.get(lane);
      if (last === undefined || comesAfter(known.place, last)) this.lastStart.set(lane, known.place);
    }
    Object.assign(known, { state: "held", started: true, delivery, leaseUntilMs: this.nowMs + LEASE_MS });
    process.held.push(delivery);
    this.deliveries++;
  }

  #lease(known: Known): void {
    if (known.state === "held" && known.leaseUntilMs <= this.nowMs) this.#returned(known, 1, 0);
  }

  #returned(known: Known, attempts: 0 | 1, dueAtMs: number): void {
    known.attempt += attempts;
    Object.assign(known, { state: "waiting", delivery: undefined, dueAtMs });
  }

  #any(): Process {
    const process = this.random.pick(this.processes);
    assert.ok(process);
    return process;
  }

  #all(...states: Known["state"][]): Known[] {
    return [...this.known.values()].filter(({ state }) => states.includes(state));
  }

  #get(id: string): Known {
    const known = this.known.get(id);
    assert.ok(known, `${id} was published`);
    return known;
  }
}

async function step(simulation: Simulation): Promise<void> {
  const choice = simulation.random.below(1000);
  if (choice < 320) await simulation.publish();
  else if (choice < 360) await simulation.publishTogether();
  else if (choice < 380) await simulation.look();
  else if (choice < 650) await simulation.end();
  else if (choice < 800) await simulation.advance(simulation.random.below(30) * TICK_MS);
  else if (choice < 850) await simulation.extend();
  else if (choice < 890) await simulation.cancel();
  else if (choice < 920) await simulation.duplicate();
  else if (choice < 945) await simulation.redrive();
  else if (choice < 990) simulation.change();
  else await simulation.crash();
}

withRedis({}, (server) => {
  for (const seed of [1, 2, 3, 5]) {
    test(`${STEPS} random operations of three processes agree with a simple model (seed ${seed})`, async () => {
      await using simulation = new Simulation(seed, server().url);
      for (let count = 0; count < 3; count++) await simulation.start();
      for (let count = 0; count < STEPS; count++) {
        await step(simulation);
        await simulation.check();
      }
      assert.ok(simulation.deliveries > 80, `${simulation.deliveries} deliveries`);
      await simulation.finish();
    });
  }
});
