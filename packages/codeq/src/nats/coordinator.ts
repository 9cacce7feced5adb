import { PlatformError } from "@sous/contract";
import type { DiscardedMessages, LaneDepth } from "../codeq.ts";
import { DEAD_LETTER_BOUNDS, type DeadLetterOptions } from "../dead-letter-bounds.ts";
import { systemTimer } from "../memory/alarm.ts";
import { DurableLog } from "../memory/durable-log.ts";
import { Engine } from "../memory/engine.ts";
import { CoordinatorClaims } from "./coordinator-claims.ts";
import { CoordinatorEntry } from "./coordinator-entry.ts";
import { CoordinatorLog } from "./coordinator-log.ts";
import { type LoggedMessage, messageOf } from "./log-records.ts";
import { deposed, type LogStream } from "./log-stream.ts";
import { CoordinatorOutgoing } from "./coordinator-outgoing.ts";
import type { NatsLink } from "./nats-link.ts";
import { RemoteConsumer } from "./remote-consumer.ts";
import {
  type CallFrame,
  fromWire,
  MOVED,
  type SettleOp,
  type Subjects,
  toWire,
  type WireCall,
  type WireMessage,
} from "./wire.ts";

const SWEEP_MS = 1000;
/** A consumer that says nothing for so long is taken for gone; it says something every second. */
const SILENT_MS = 5000;
/** Of one append, and of one answer. */
const LENGTH_MAX = 256 * 1024;
/** An expired message is kept this long for somebody to hear of it, in milliseconds. */
const EXPIRED_HOLD_MS = 30 * 24 * 3_600_000;
/** Messages taken over before other work of the process gets its turn. */
const ADOPTED_AT_ONCE = 1000;
const LANES_PAGE = 2000;
const REDRIVEN_AT_ONCE = 500;
const LEASE_TICK_MS = 100;
/** Wakes up no lane, only what a consumer that was full had not been asked for. */
const NO_LANE = { tenant: "", lane: "" };

export interface CoordinatorOptions extends DeadLetterOptions {
  /** The sequence of the record by which it took over; grows with every coordinator. */
  epoch: number;
  link: NatsLink;
  stream: LogStream;
  subjects: Subjects;
  clock: () => number;
  report: (error: PlatformError) => void;
  /** Called once, when its place was taken or it cannot write. */
  onLost: () => void;
}

/** The one process that decides: the engine of the embedded queue, its journal in JetStream, its callers far away. */
export class Coordinator {
  readonly epoch: number;
  readonly #options: CoordinatorOptions;
  readonly #log: CoordinatorLog;
  readonly #engine: Engine<string>;
  readonly #durable: DurableLog<string>;
  readonly #claims: CoordinatorClaims;
  readonly #consumers = new Map<string, RemoteConsumer>();
  readonly #outgoing: CoordinatorOutgoing;
  readonly #sweeper: NodeJS.Timeout;
  /** Calls that wait for their answers. */
  #answering = 0;
  #allAnswered: (() => void) | undefined;
  /** Ends its hearing of calls: the server tells callers from then on that nobody is there. */
  #drain: (() => Promise<void>) | undefined;
  #closed = false;

  private constructor(options: CoordinatorOptions, log: CoordinatorLog) {
    const { epoch, clock } = options;
    this.epoch = epoch;
    this.#options = options;
    this.#log = log;
    const text = { encode: (body: string) => body, decode: (body: string) => body };
    this.#durable = new DurableLog(log, text);
    this.#engine = new Engine<string>({
      clock,
      setTimer: systemTimer,
      log: this.#durable,
      leaseTickMs: LEASE_TICK_MS,
      deadVolatileMax: Infinity,
      deadLetters: options.deadLetters ?? DEAD_LETTER_BOUNDS,
      onDeadLettersDropped: options.onDeadLettersDropped ?? (() => {}),
      bytesOf: (body) => Buffer.byteLength(body),
      expiredHoldMs: EXPIRED_HOLD_MS,
      // A log that is lost is said once, by whoever lost it.
      report: (error) => {
        if (!log.isLost) options.report(error);
      },
    });
    this.#claims = new CoordinatorClaims({
      epoch,
      log,
      clock,
      post: (process, item, token) => this.#outgoing.post(process, item, token),
    });
    this.#outgoing = new CoordinatorOutgoing({
      epoch,
      link: options.link,
      subjects: options.subjects,
      onUnheard: (process, tokens) => this.#unheard(process, tokens),
    });
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweeper.unref();
  }

  /** Reads the log and begins to answer. @throws CS_CODEQ_PUBLISH_FAILED when the log cannot be read */
  static async open(options: CoordinatorOptions): Promise<Coordinator> {
    const { epoch, stream, link, subjects, report } = options;
    let coordinator: Coordinator | undefined;
    const onLost = (): void => coordinator?.stop();
    const lengthMax = Math.min(LENGTH_MAX, Math.floor(link.payloadBytesMax / 4));
    const { log, messages } = await CoordinatorLog.open({
      stream,
      sequence: epoch,
      lengthMax,
      onLost,
      report,
    });
    coordinator = new Coordinator(options, log);
    const dead = messages.filter(({ entry }) => entry.dead);
    for (const [at, message] of messages.entries()) {
      // Others must hear that it lives, however much there is.
      if (at % ADOPTED_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
      if (!message.entry.dead) coordinator.#adopt(message);
    }
    // The moment of death stands where others say when they are due.
    for (const message of dead.sort((a, b) => a.entry.due_at_ms - b.entry.due_at_ms)) {
      coordinator.#engine.adoptDead(coordinator.#entryOf(message), message.entry.dead_reason ?? "unknown");
    }
    coordinator.#drain = link.subscribeUntilDrained(subjects.calls(epoch), (frame) =>
      coordinator.#take(frame.string()),
    );
    if (!log.isLost) return coordinator;
    coordinator.stop();
    throw deposed();
  }

  /** Answers what it took on, then that the next one is to be asked; what it held goes on with that one. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#answering > 0) await new Promise<void>((resolve) => (this.#allAnswered = resolve));
    await this.#log.flushed().catch(() => {});
    await this.#drain?.();
    this.#end();
    await this.#options.link.flush();
    this.#log.lose(deposed());
  }

  /** Ends at once: its place was taken, or it cannot write. */
  stop(): void {
    this.#log.lose(deposed());
    if (this.#closed) return;
    this.#closed = true;
    this.#end();
    this.#options.onLost();
  }

  /** Its callers find nobody from here on, and ask the next one. */
  #end(): void {
    clearInterval(this.#sweeper);
    void this.#drain?.();
    this.#outgoing.stop();
    void this.#engine.close();
  }

  #adopt(logged: LoggedMessage): void {
    const { entry: fields, claim } = logged;
    const entry = this.#entryOf(logged);
    entry.returned = claim !== null || fields.attempt > 1;
    if (claim === null) return this.#engine.admit(entry);
    const leaseMs = Math.max(0, claim.untilMs - this.#options.clock());
    const delivery = this.#engine.adoptClaimed(entry, leaseMs);
    // The engine noted a new claim; it is the old one.
    this.#log.claimed(fields.id, fields.attempt, claim).catch(() => {});
    this.#claims.restore(claim, delivery);
  }

  #entryOf(logged: LoggedMessage): CoordinatorEntry {
    const message = messageOf(logged);
    const lane = this.#engine.topic(message.topic).queue.lane(message.tenant, message.lane);
    return new CoordinatorEntry(message, lane, logged.durable);
  }

  #take(text: string): void {
    const [process, calls] = JSON.parse(text) as CallFrame;
    for (const call of calls) void this.#answer(process, call);
  }

  async #answer(process: string, [call, op, ...args]: WireCall): Promise<void> {
    if (this.#closed) {
      if (call > 0) this.#outgoing.post(process, ["no", call, { code: MOVED, message: MOVED }]);
      return;
    }
    this.#answering++;
    try {
      const value = await this.#run(process, op, args);
      if (call > 0) this.#outgoing.post(process, ["ok", call, value ?? null]);
    } catch (error) {
      const { code, message } =
        error instanceof PlatformError
          ? error
          : new PlatformError("CS_INTERNAL", String(error), { cause: error });
      if (code === "CS_INTERNAL") this.#options.report(error as PlatformError);
      if (call > 0) this.#outgoing.post(process, ["no", call, { code, message }]);
    } finally {
      if (--this.#answering === 0) this.#allAnswered?.();
    }
  }

  #run(process: string, op: WireCall[1], args: readonly unknown[]): unknown {
    const [first, second, third, fourth] = args as string[];
    const name = first ?? "";
    switch (op) {
      case "publish":
        return this.#publish(args[0] as WireMessage, Number(second), args[2] === true);
      case "consume":
        return this.#consume(process, args);
      case "credit":
        return this.#credit(process, args);
      case "leave":
        return this.#leave(name, Number(second));
      case "settle":
        return this.#claims.settle(first as SettleOp, second ?? "", third);
      case "cancel":
        return this.#cancel(name);
      case "depth":
        return this.#depths(name, Number(second));
      case "dead":
        return this.#dead(name, Number(second), Number(third));
      case "topics":
        return this.#engine.topicNames().slice(Number(first), Number(first) + LANES_PAGE);
      case "discard":
        return this.#engine.discard(name, second as DiscardedMessages, Number(third));
      case "dead-count":
        return this.#engine.topic(name).dead.size;
      case "headings": {
        const filter = { tenant: second ?? "", lane: third ?? "" };
        return this.#engine.topic(name).dead.page(filter, Number(fourth), Number(args[4]));
      }
      case "letter":
        return this.#letter(name, second ?? "", third ?? "", args[3] === true);
      case "redrive":
        return this.#redrive(name, args[1] as string | null);
      case "weight":
        return this.#engine.setWeight(name, Number(second));
      case "check":
        return this.#log.probe();
    }
  }

  /** What is published can be claimed at once: neither is said to anybody before the log has both. */
  async #publish(wire: WireMessage, depthMax: number, durable: boolean): Promise<"taken" | "known" | "full"> {
    const message = fromWire(wire);
    const known = this.#engine.find(message.id);
    if (known !== undefined) {
      await known.appended;
      // Who has lost its place does not know what became of it since.
      await this.#log.probe();
      return "known";
    }
    const lane = this.#engine.topic(message.topic).queue.lane(message.tenant, message.lane);
    if (lane.waiting(durable) >= depthMax) return "full";
    const entry = new CoordinatorEntry(message, lane, durable);
    if (!durable) this.#log.expectVolatile(message.id);
    const appended = this.#durable.append(message);
    entry.appended = appended;
    this.#engine.admit(entry);
    await appended;
    entry.appended = null;
    return "taken";
  }

  #consume(process: string, args: readonly unknown[]): void {
    const [name, session, topic, leaseMs, capacity, tokens] = args as [
      string,
      number,
      string,
      number,
      number,
      string[],
    ];
    this.#drop(this.#consumers.get(name));
    const remote = new RemoteConsumer({
      name,
      session,
      process,
      topic,
      leaseMs,
      capacity,
      clock: this.#options.clock,
      deliver: (consumer, delivery, which) => this.#claims.deliver(consumer, delivery, which),
      expired: (consumer, message) => this.#claims.expire(consumer, message),
    });
    this.#consumers.set(name, remote);
    this.#claims.introduce(remote, tokens);
    remote.subscription = this.#engine.topic(topic).queue.subscribe(remote);
  }

  #credit(process: string, args: readonly unknown[]): void {
    const [name, session, capacity, seen, lanes] = args as [
      string,
      number,
      number,
      number,
      [string, string][] | null,
    ];
    const remote = this.#consumers.get(name);
    if (remote === undefined || remote.session !== session) {
      this.#outgoing.post(process, ["again", name, session]);
      return;
    }
    remote.credit(capacity, seen);
    if (lanes === null) return remote.wake();
    for (const [tenant, lane] of lanes) remote.wake({ tenant, lane });
    if (lanes.length === 0) remote.subscription?.wake(NO_LANE);
  }

  #leave(name: string, session: number): void {
    const remote = this.#consumers.get(name);
    if (remote?.session === session) this.#drop(remote);
  }

  #drop(remote: RemoteConsumer | undefined): void {
    if (remote === undefined) return;
    this.#consumers.delete(remote.name);
    remote.isGone = true;
    void remote.subscription?.close();
  }

  async #cancel(id: string): Promise<WireMessage | null> {
    const entry = this.#engine.find(id);
    if (entry === undefined || !entry.isWaiting) return null;
    const { message } = entry;
    await this.#engine.cancel(entry);
    return toWire(message);
  }

  #depths(topic: string, from: number): LaneDepth[] {
    return this.#engine
      .topic(topic)
      .queue.depth()
      .slice(from, from + LANES_PAGE);
  }

  /** @returns some of them, as many as fit into a frame and one at least */
  #dead(topic: string, from: number, count: number): [WireMessage, string][] {
    const letters: [WireMessage, string][] = [];
    let length = 0;
    for (const { message, reason } of this.#engine
      .topic(topic)
      .dead.list(from + count)
      .slice(from)) {
      length += message.body.length;
      if (letters.length > 0 && length > LENGTH_MAX) break;
      letters.push([toWire(message), reason]);
    }
    return letters;
  }

  async #letter(
    topic: string,
    tenant: string,
    id: string,
    removed: boolean,
  ): Promise<[WireMessage, string] | null> {
    const letter = this.#engine.topic(topic).dead.find(tenant, id);
    if (letter === undefined) return null;
    const found: [WireMessage, string] = [toWire(letter.entry.message), letter.reason];
    if (removed) await this.#engine.removeDead(topic, tenant, id);
    return found;
  }

  /** @returns how many went back, and how many there are left */
  async #redrive(topic: string, id: string | null): Promise<[number, number]> {
    const { dead } = this.#engine.topic(topic);
    const ids = id === null ? dead.ids().slice(0, REDRIVEN_AT_ONCE) : [id];
    const went = await Promise.all(ids.map((each) => this.#engine.redrive(topic, each)));
    return [went.filter(Boolean).length, dead.size];
  }

  /** What was sent to a process found nobody: it is gone, or not yet back. */
  #unheard(process: string, tokens: readonly string[]): void {
    if (this.#closed) return;
    for (const remote of this.#consumers.values()) {
      if (remote.process === process) this.#drop(remote);
    }
    this.#claims.unheard(tokens);
  }

  #sweep(): void {
    const nowMs = this.#options.clock();
    for (const remote of this.#consumers.values()) {
      if (remote.heardAtMs + SILENT_MS < nowMs) this.#drop(remote);
      else remote.sweep();
    }
    this.#claims.sweep((topic) => this.#consumers.values().find((remote) => remote.topic === topic));
  }
}
