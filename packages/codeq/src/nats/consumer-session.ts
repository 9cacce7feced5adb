import { PlatformError } from "@sous/contract";
import type { Consumer, Message } from "../codeq.ts";
import type { BodyCodec } from "../memory/durable-log.ts";
import { GuardedConsumer } from "../remote/guarded-consumer.ts";
import type { Calls } from "./calls.ts";
import { NatsClaim } from "./claim.ts";
import { laneKeyOf } from "./remote-consumer.ts";
import { fromWire, type SettleOp, type WireItem, type WireMessage } from "./wire.ts";

/** It says that it is there, and what it takes, this often at least; see the coordinator's patience. */
const PRESENT_MS = 1000;
/** Between two tries of what did not reach the coordinator, in milliseconds. */
const AGAIN_MS = 250;
const UNREADABLE = "its body cannot be read";

/** How what is said of claims reaches the coordinator. */
export interface Settler {
  settle(op: SettleOp, token: string, argument: unknown): Promise<unknown>;
  clock: () => number;
  /** Settles when the connection stands again, after `ms` at the latest, or when the queue closes. */
  pause(ms: number): Promise<void>;
  readonly isClosed: boolean;
}

export interface ConsumerSessionOptions<Body> {
  /** No other consumer of the cluster has it. */
  name: string;
  consumer: Consumer<Body>;
  calls: Calls;
  settler: Settler;
  codec: BodyCodec<Body>;
  report: (error: PlatformError) => void;
}

type Delivered = Extract<WireItem, ["deliver", ...unknown[]]>;
type Expired = Extract<WireItem, ["expired", ...unknown[]]>;

/**
 * One consumer: introduces itself to every coordinator anew, with what it holds, and says what it takes whenever that
 * is other than the coordinator must think. What was sent to an earlier session of it does not count.
 */
export class ConsumerSession<Body> {
  readonly #options: ConsumerSessionOptions<Body>;
  readonly #consumer: GuardedConsumer<Body>;
  /** What it has and whose end was not yet heard. */
  readonly #claims = new Map<string, NatsClaim<Body>>();
  /** Lanes with a refusal on its way: what else comes of them was sent before it was heard. */
  readonly #refusing = new Map<string, number>();
  readonly #ticker: NodeJS.Timeout;
  #session = 0;
  #introduced = false;
  #introducing = false;
  /** Deliveries of this session. */
  #seen = 0;
  /** What the coordinator was told that it takes, less what came since. */
  #told = 0;
  #wakesAll = false;
  #wakes = new Map<string, [tenant: string, lane: string]>();
  #telling = false;
  #closed = false;

  constructor(options: ConsumerSessionOptions<Body>) {
    this.#options = options;
    this.#consumer = new GuardedConsumer(options.consumer, options.report);
    this.#ticker = setInterval(() => this.#tell(), PRESENT_MS);
    this.#ticker.unref();
  }

  get name(): string {
    return this.#options.name;
  }

  /** Introduces itself. @throws CS_CODEQ_PUBLISH_FAILED where nobody is there */
  async introduce(): Promise<void> {
    const { consumer, calls, name } = this.#options;
    this.#session++;
    this.#introduced = false;
    this.#seen = 0;
    this.#told = Math.max(0, this.#consumer.capacity());
    const { topic, leaseMs } = consumer;
    const session = this.#session;
    await calls.call("consume", name, session, topic, Math.ceil(leaseMs), this.#told, [
      ...this.#claims.keys(),
    ]);
    if (session !== this.#session) return;
    this.#introduced = true;
    this.changed();
  }

  /** Introduces itself again, until somebody hears. */
  async introduceAgain(): Promise<void> {
    this.#introduced = false;
    if (this.#introducing) {
      // The one under way may have reached a coordinator that is gone by now: it is not the last.
      this.#session++;
      return;
    }
    this.#introducing = true;
    while (!this.#introduced && !this.#closed && !this.#options.settler.isClosed) {
      try {
        await this.introduce();
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error;
        await this.#options.settler.pause(AGAIN_MS);
      }
    }
    this.#introducing = false;
  }

  /** Hears what is for it. */
  take(item: WireItem): void {
    if (item[2] !== this.#session) return;
    if (item[0] === "deliver") this.#deliver(item);
    else if (item[0] === "expired") void this.#expire(item);
    else if (item[0] === "again" && !this.#closed && this.#introduced) void this.introduceAgain();
  }

  wake(lane: Pick<Message<unknown>, "tenant" | "lane"> | undefined): void {
    if (lane === undefined) this.#wakesAll = true;
    else this.#wakes.set(laneKeyOf(lane), [lane.tenant, lane.lane]);
    this.changed();
  }

  /** What it takes may be another number now. */
  changed(): void {
    if (this.#telling || this.#closed) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      const isWoken = this.#wakesAll || this.#wakes.size > 0;
      if (isWoken || this.#told !== this.#consumer.capacity()) this.#tell();
    });
  }

  /** Takes nothing more. Settles when nothing more comes. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#ticker);
    // Where nobody hears it, nobody sends either.
    await this.#options.calls.call("leave", this.#options.name, this.#session).catch(() => {});
  }

  #tell(): void {
    if (this.#closed || !this.#introduced) return;
    const { calls, name } = this.#options;
    this.#told = Math.max(0, this.#consumer.capacity());
    const lanes = this.#wakesAll ? null : [...this.#wakes.values()];
    this.#wakesAll = false;
    this.#wakes.clear();
    calls.tell("credit", name, this.#session, this.#told, this.#seen, lanes);
  }

  #deliver([, , , token, leaseUntilMs, wire]: Delivered): void {
    this.#seen++;
    this.#told--;
    const message = this.#decoded(token, wire);
    if (message === undefined) return;
    const key = laneKeyOf(message);
    const claim = this.#claimOf(token, message, leaseUntilMs);
    if (this.#closed || this.#refusing.has(key) || this.#consumer.capacity() <= 0) {
      this.#behind(claim.release());
    } else if (this.#consumer.accepts(message)) {
      this.#consumer.deliver(claim);
    } else {
      this.#refusing.set(key, (this.#refusing.get(key) ?? 0) + 1);
      this.#behind(claim.refuse().finally(() => this.#refused(key)));
    }
    this.changed();
  }

  #refused(key: string): void {
    const left = (this.#refusing.get(key) ?? 1) - 1;
    if (left > 0) this.#refusing.set(key, left);
    else this.#refusing.delete(key);
  }

  #claimOf(token: string, message: Message<Body>, leaseUntilMs: number): NatsClaim<Body> {
    const { settler } = this.#options;
    const claim = new NatsClaim({
      message,
      leaseUntilMs,
      clock: settler.clock,
      settle: (op, argument) => settler.settle(op, token, argument),
      refuse: () => settler.settle("f", token, ""),
      pause: (leftMs) => settler.pause(Math.min(leftMs, AGAIN_MS)),
      isClosed: () => settler.isClosed,
      onEnd: () => this.changed(),
      onSettled: () => {
        this.#claims.delete(token);
        // After whoever waits for the end has heard of it.
        setImmediate(() => this.changed());
      },
    });
    this.#claims.set(token, claim);
    return claim;
  }

  async #expire([, , , token, wire]: Expired): Promise<void> {
    const { settler } = this.#options;
    const message = this.#decoded(token, wire);
    const heard = message === undefined ? undefined : await this.#consumer.onExpired(message);
    // Only now is it at its end: had this process ended before, another consumer would have heard of it.
    if (heard !== undefined) this.#behind(settler.settle("e", token, heard.end ?? ""));
  }

  #decoded(token: string, wire: WireMessage): Message<Body> | undefined {
    const message = fromWire(wire);
    try {
      return { ...message, body: this.#options.codec.decode(message.body) };
    } catch (cause) {
      const text = `Message ${message.id} of ${message.topic} cannot be read; it is put to the dead letters.`;
      this.#options.report(new PlatformError("CS_INTERNAL", text, { cause }));
      this.#behind(this.#options.settler.settle("d", token, UNREADABLE));
      this.#behind(this.#options.settler.settle("e", token, UNREADABLE));
      return undefined;
    }
  }

  /** Nobody waits for it: an outage is reported by the connection, and what did not arrive ends with its lease. */
  #behind(settled: Promise<unknown>): void {
    settled.catch(() => {});
  }
}
