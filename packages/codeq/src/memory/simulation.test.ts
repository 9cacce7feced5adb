import assert from "node:assert/strict";
import test from "node:test";
import { PlatformError } from "@sous/contract";
import type { CodeQ, Delivery, Message, Subscription } from "../codeq.ts";
import { createMapJournal } from "../contract/map-journal.ts";
import { createRandom } from "../contract/random.ts";
import { createVirtualTime } from "../contract/virtual-time.ts";
import { createMemoryCodeQ } from "./create-memory-codeq.ts";

const TOPIC = "cs.invoke";
const TENANTS = ["t_tenant1", "t_tenant2", "t_tenant3"];
const LANES = ["default/aaa", "default/bbb"];
const TICK_MS = 10;
const LEASE_MS = 500;
const STEPS = 1500;

/** What the model knows of one message; it ends as `gone` or `dead`. */
interface Known {
  message: Message<number>;
  durable: boolean;
  state: "waiting" | "held" | "dead" | "gone";
  /** The attempt its next delivery must be. */
  attempt: number;
  dueAtMs: number;
  /** Place in its lane: when it became ready, and as which. */
  place: [readyAtMs: number, late: 0 | 1, serial: number];
  started: boolean;
  /** When it came back after a start. */
  returnedAtMs: number;
  delivery: Delivery<number> | undefined;
}

const laneOf = ({ message: { tenant, lane } }: Known): string => `${tenant}/${lane}`;

const comesAfter = (a: Known["place"], b: Known["place"]): boolean =>
  (a[0] - b[0] || a[1] - b[1] || a[2] - b[2]) > 0;

/**
 * A simple model beside the queue, driven by the same operations on the same clock. It checks each delivery:
 * nothing twice unless it was returned or its lease ended, first starts in order, returned messages first,
 * attempts counted, refusals only at the bound.
 */
class Simulation {
  readonly random: ReturnType<typeof createRandom>;
  readonly time = createVirtualTime();
  readonly journal = createMapJournal();
  readonly known = new Map<string, Known>();
  readonly lastStart = new Map<string, Known["place"]>();
  readonly blocked = new Set<string>();
  /** Deliveries the consumer holds, those with a lost lease among them. */
  held: Delivery<number>[] = [];
  slots = 4;
  deliveries = 0;
  #queue: CodeQ<number, null> | undefined;
  #subscription: Subscription | undefined;
  #serial = 0;

  constructor(seed: number) {
    this.random = createRandom(seed);
  }

  get queue(): CodeQ<number, null> {
    assert.ok(this.#queue);
    return this.#queue;
  }

  get subscription(): Subscription {
    assert.ok(this.#subscription);
    return this.#subscription;
  }

  async start(): Promise<void> {
    const { time, journal } = this;
    this.#queue = await createMemoryCodeQ<number, null>({
      ...time,
      journal,
      leaseTickMs: TICK_MS,
      onError: (error) => assert.fail(error),
    });
    const generation = this.#queue;
    this.#subscription = await this.#queue.consume({
      topic: TOPIC,
      leaseMs: LEASE_MS,
      capacity: () => this.slots - this.held.length,
      accepts: ({ tenant, lane }) => !this.blocked.has(`${tenant}/${lane}`),
      deliver: (delivery) => {
        assert.equal(generation, this.#queue, "a closed queue delivers nothing");
        this.#delivered(delivery);
      },
      onExpired: ({ id }) => {
        const known = this.#get(id);
        this.#lease(known);
        assert.equal(known.state, "waiting", `${id} expires only while it waits`);
        assert.ok(known.message.expires_at_ms <= time.clock(), `${id} is too old`);
        known.state = "gone";
      },
    });
    this.time.advance(TICK_MS);
  }

  /** Ends the process: what is in no journal is lost, what was claimed counts as tried. */
  async crash(): Promise<void> {
    const old = this.queue;
    this.#queue = undefined;
    this.held = [];
    await old[Symbol.asyncDispose]();
    this.time.advance(this.random.below(100) * TICK_MS);
    for (const [id, known] of this.known) {
      if (known.state === "gone") continue;
      if (!known.durable) {
        this.known.delete(id);
      } else if (known.state === "held") {
        this.#returned(known, 0);
      } else if (known.state === "waiting" && known.dueAtMs <= this.time.clock()) {
        known.place = [this.time.clock(), 0, known.place[2]];
      }
    }
    await this.start();
  }

  async publish(): Promise<void> {
    const { random } = this;
    const nowMs = this.time.clock();
    const serial = ++this.#serial;
    const due_at_ms = random.below(4) === 0 ? nowMs + random.below(100) * TICK_MS : 0;
    const message: Message<number> = {
      id: `m${serial}`,
      topic: TOPIC,
      tenant: random.pick(TENANTS) ?? "",
      lane: random.pick(LANES) ?? "",
      body: serial,
      attempt: 1,
      enqueued_at_ms: nowMs,
      due_at_ms,
      expires_at_ms: nowMs + (1 + random.below(500)) * TICK_MS,
    };
    const durable = random.below(2) === 0;
    const late = due_at_ms > nowMs;
    const known: Known = {
      message,
      durable,
      state: "waiting",
      attempt: 1,
      dueAtMs: due_at_ms,
      place: [late ? due_at_ms : nowMs, late ? 0 : 1, serial],
      started: false,
      returnedAtMs: 0,
      delivery: undefined,
    };
    const depthMax = 1 + random.below(8);
    const waiting = this.#all("waiting").filter(
      (other) => other.durable === durable && laneOf(other) === laneOf(known),
    ).length;
    this.known.set(message.id, known);
    try {
      await this.queue.publish(message, { depthMax, durable });
      assert.ok(waiting < depthMax, "taken only below the bound");
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      assert.equal(error.code, "CS_QUEUE_FULL");
      assert.ok(waiting >= depthMax, "refused only at the bound");
      this.known.delete(message.id);
    }
  }

  async duplicate(): Promise<void> {
    const known = this.random.pick([...this.known.values()].filter(({ state }) => state !== "gone"));
    if (known === undefined) return;
    await this.queue.publish({ ...known.message, attempt: 1 }, { depthMax: 100, durable: known.durable });
  }

  async end(): Promise<void> {
    const delivery = this.random.pick(this.held);
    if (delivery === undefined) return;
    this.held.splice(this.held.indexOf(delivery), 1);
    const known = this.#get(delivery.message.id);
    const owns = known.delivery === delivery;
    const choice = this.random.below(5);
    if (choice <= 1) {
      if (owns) known.state = "gone";
      await delivery.ack();
    } else if (choice <= 3) {
      const delayMs = this.random.below(3) * 5 * TICK_MS;
      if (owns) this.#returned(known, delayMs > 0 ? this.time.clock() + delayMs : 0);
      await delivery.nack(delayMs);
    } else {
      if (owns) known.state = "dead";
      await delivery.deadLetter("simulated");
    }
    this.subscription.wake(delivery.message);
  }

  async extend(): Promise<void> {
    const delivery = this.random.pick(this.held);
    if (delivery === undefined) return;
    const owns = this.#get(delivery.message.id).delivery === delivery;
    assert.equal(await delivery.extend((1 + this.random.below(100)) * TICK_MS), owns);
  }

  async cancel(): Promise<void> {
    const known = this.random.pick([...this.known.values()]);
    if (known === undefined) return;
    const cancelled = await this.queue.cancel(known.message.id);
    assert.equal(cancelled !== undefined, known.state === "waiting");
    if (known.state === "waiting") known.state = "gone";
  }

  async redrive(): Promise<void> {
    const known = this.random.pick(this.#all("dead"));
    if (known === undefined) return;
    const nowMs = this.time.clock();
    const { message } = known;
    const expires_at_ms = nowMs + message.expires_at_ms - message.enqueued_at_ms;
    known.message = { ...message, enqueued_at_ms: nowMs, due_at_ms: 0, expires_at_ms };
    Object.assign(known, { state: "waiting", attempt: 1, dueAtMs: 0, started: false });
    known.place = [nowMs, 1, ++this.#serial];
    assert.equal(await this.queue.redrive(TOPIC, message.id), 1);
  }

  /** Opens or closes a lane, or changes the capacity. */
  change(): void {
    const tenant = this.random.pick(TENANTS) ?? "";
    const lane = this.random.pick(LANES) ?? "";
    const name = `${tenant}/${lane}`;
    if (this.random.below(3) === 0) this.slots = this.random.below(8);
    else if (!this.blocked.delete(name)) this.blocked.add(name);
    if (this.random.below(2) === 0) this.subscription.wake();
    else this.subscription.wake({ tenant, lane });
  }

  /** Compares what the queue says with the model, and that nothing deliverable was left lying. */
  async check(): Promise<void> {
    for (const known of this.known.values()) this.#lease(known);
    const nowMs = this.time.clock();
    const expected = new Map<string, { ready: number; delayed: number; claimed: number }>();
    for (const known of this.known.values()) {
      if (known.state !== "waiting" && known.state !== "held") continue;
      const counts = expected.get(laneOf(known)) ?? { ready: 0, delayed: 0, claimed: 0 };
      expected.set(laneOf(known), counts);
      if (known.state === "held") counts.claimed++;
      else if (known.dueAtMs > nowMs) counts.delayed++;
      else counts.ready++;
      if (known.state !== "waiting") continue;
      // One that came back when it was too old already is seen to when the clock moves on.
      const endMs = Math.max(known.message.expires_at_ms, known.returnedAtMs);
      assert.ok(endMs > nowMs - TICK_MS, `${known.message.id} expired unseen`);
      const deliverable = known.dueAtMs <= nowMs && !this.blocked.has(laneOf(known));
      assert.ok(!deliverable || this.held.length >= this.slots, `${known.message.id} was left lying`);
    }
    const depth = await this.queue.depth(TOPIC);
    const actual = depth.map(({ tenant, lane, ...counts }) => [`${tenant}/${lane}`, counts] as const);
    assert.deepEqual(new Map(actual.toSorted()), new Map([...expected].toSorted()));
    assert.equal((await this.queue.dead(TOPIC, 1e6)).length, this.#all("dead").length);
  }

  /** Lets everything through, so that each message comes to its end. */
  async finish(): Promise<void> {
    this.blocked.clear();
    this.slots = Infinity;
    this.subscription.wake();
    for (let round = 0; round < 2000 && this.#all("waiting", "held").length > 0; round++) {
      for (const delivery of this.held.splice(0)) {
        const known = this.#get(delivery.message.id);
        if (known.delivery === delivery) known.state = "gone";
        await delivery.ack();
      }
      this.time.advance(5 * TICK_MS);
    }
    assert.deepEqual(this.#all("waiting", "held"), []);
    const durableDead = this.#all("dead").filter(({ durable }) => durable);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(
      this.journal.entries.size,
      durableDead.length,
      "the journal holds the dead and nothing else",
    );
    await this.queue[Symbol.asyncDispose]();
    assert.equal(this.time.armed, 0);
  }

  #delivered(delivery: Delivery<number>): void {
    const { message } = delivery;
    const nowMs = this.time.clock();
    const known = this.#get(message.id);
    this.#lease(known);
    assert.equal(known.state, "waiting", `${message.id} is delivered only while it waits`);
    assert.equal(message.attempt, known.attempt, `${message.id} comes as the right attempt`);
    assert.equal(message.body, known.message.body);
    assert.ok(known.dueAtMs <= nowMs, `${message.id} is due`);
    assert.ok(nowMs < known.message.expires_at_ms, `${message.id} is not too old`);
    assert.ok(this.held.length < this.slots && !this.blocked.has(laneOf(known)), "somebody takes it");
    if (!known.started) this.#firstStart(known);
    Object.assign(known, { state: "held", started: true, delivery });
    this.held.push(delivery);
    this.deliveries++;
  }

  #firstStart(known: Known): void {
    const lane = laneOf(known);
    const last = this.lastStart.get(lane);
    assert.ok(last === undefined || comesAfter(known.place, last), `${known.message.id} starts in order`);
    this.lastStart.set(lane, known.place);
    const nowMs = this.time.clock();
    const passed = this.#all("waiting").find(
      (other) =>
        other.started && laneOf(other) === lane && Math.max(other.returnedAtMs, other.dueAtMs) < nowMs,
    );
    assert.equal(passed?.message.id, undefined, "returned messages come first");
  }

  /** Takes note of a lease that ended: the wheel looks at the end of each tick. */
  #lease(known: Known): void {
    if (known.state !== "held" || known.delivery === undefined) return;
    const endsAtMs = (Math.floor(known.delivery.leaseUntilMs / TICK_MS) + 1) * TICK_MS;
    if (endsAtMs > this.time.clock()) return;
    this.#returned(known, 0);
    known.returnedAtMs = endsAtMs;
  }

  #returned(known: Known, dueAtMs: number): void {
    known.attempt++;
    const returnedAtMs = this.time.clock();
    Object.assign(known, { state: "waiting", delivery: undefined, dueAtMs, returnedAtMs });
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
  if (choice < 350) await simulation.publish();
  else if (choice < 620) await simulation.end();
  else if (choice < 800) simulation.time.advance(simulation.random.below(30) * TICK_MS);
  else if (choice < 850) await simulation.extend();
  else if (choice < 880) await simulation.cancel();
  else if (choice < 910) await simulation.duplicate();
  else if (choice < 940) await simulation.redrive();
  else if (choice < 995) simulation.change();
  else await simulation.crash();
}

for (const seed of [1, 2, 3, 5, 8, 13, 21, 34]) {
  test(`${STEPS} random operations agree with a simple model (seed ${seed})`, async () => {
    const simulation = new Simulation(seed);
    await simulation.start();
    for (let count = 0; count < STEPS; count++) {
      await step(simulation);
      await simulation.check();
    }
    assert.ok(simulation.deliveries > 200, `${simulation.deliveries} deliveries`);
    await simulation.finish();
  });
}
