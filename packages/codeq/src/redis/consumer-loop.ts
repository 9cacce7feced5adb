import { PlatformError } from "@sous/contract";
import type { Consumer, Message } from "../codeq.ts";
import type { BodyCodec } from "../memory/durable-log.ts";
import { Claim } from "../remote/claim.ts";
import { GuardedConsumer } from "../remote/guarded-consumer.ts";
import { LaneRooms } from "../remote/lane-rooms.ts";
import type { RedisLink } from "@sous/store/redis-link";
import type { RawMessage } from "./message-fields.ts";
import type { ClaimReply, Shard } from "./shard.ts";

/** Messages of one claim. */
const CLAIM_MAX = 64;
/** A consumer without room looks for what fell due this often at most, in milliseconds. */
const FULL_PAUSE_MS = 20;
const FAILED_PAUSE_MS = 250;
/** Looks again by itself after this, in milliseconds: only for what a lost connection kept from it. */
const SWEEP_MS = 1000;
/** Claims without a reply that are looked for. */
const LOST_MAX = 16;
const UNREADABLE = "its body cannot be read";

/** How what is said of claims reaches the server. */
export interface Settler {
  link: RedisLink;
  clock: () => number;
  /** Settles when the connection stands again, after `ms` at the latest, or when the queue closes. */
  pause(ms: number): Promise<void>;
  readonly isClosed: boolean;
}

export interface ConsumerLoopOptions<Body> {
  consumer: Consumer<Body>;
  shards: readonly Shard[];
  settler: Settler;
  codec: BodyCodec<Body>;
  /** Makes the beginning of tokens that no other claim of the cluster has. */
  newToken: () => string;
  report: (error: PlatformError) => void;
}

const keyOf = ({ tenant, lane }: Pick<Message<unknown>, "tenant" | "lane">): string =>
  `${tenant}\u001f${lane}`;

/**
 * Claims for one consumer: as soon as a shard is signalled and the consumer has room, until nothing is left that it
 * takes. One call is on its way at a time. Alarms are set by what the server says falls due next.
 */
export class ConsumerLoop<Body> {
  readonly #options: ConsumerLoopOptions<Body>;
  readonly #consumer: GuardedConsumer<Body>;
  readonly #rooms: LaneRooms;
  readonly #pending = new Set<Shard>();
  readonly #alarms = new Map<Shard, NodeJS.Timeout>();
  readonly #claimedAtMs = new Map<Shard, number>();
  /** Tokens of claims whose reply never came. */
  readonly #lost = new Map<string, Shard>();
  readonly #sweeper: NodeJS.Timeout;
  #running = false;
  #closed = false;

  constructor(options: ConsumerLoopOptions<Body>) {
    this.#options = options;
    this.#consumer = new GuardedConsumer(options.consumer, options.report);
    this.#rooms = new LaneRooms(options.settler.clock, options.consumer.slowStart);
    this.#sweeper = setInterval(() => this.signalAll(), SWEEP_MS);
    this.#sweeper.unref();
  }

  get isIdle(): boolean {
    return !this.#running;
  }

  /** Something came into a shard; `lanes` have another first message than the one that was refused. */
  signal(shard: Shard, lanes: readonly string[] = []): void {
    for (const key of lanes) this.#rooms.unpark(key);
    if (this.#closed) return;
    this.#pending.add(shard);
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  signalAll(): void {
    for (const shard of this.#options.shards) this.signal(shard);
  }

  /** As `signalAll`, and at once even where there is no room. */
  look(): void {
    this.#claimedAtMs.clear();
    this.signalAll();
  }

  wake(lane: Pick<Message<unknown>, "tenant" | "lane"> | undefined): void {
    if (lane === undefined) this.#rooms.wakeAll();
    else this.#rooms.wake(keyOf(lane));
    this.signalAll();
  }

  close(): void {
    this.#closed = true;
    this.#pending.clear();
    clearInterval(this.#sweeper);
    for (const alarm of this.#alarms.values()) clearTimeout(alarm);
  }

  async #run(): Promise<void> {
    try {
      // What is signalled in the same turn shares one claim.
      await Promise.resolve();
      for (const shard of this.#pending) {
        // Behind the others, should it be signalled meanwhile.
        this.#pending.delete(shard);
        await this.#tryServe(shard);
        if (this.#closed) break;
      }
      // What is older than a few outages nobody could name any more.
      for (const token of [...this.#lost.keys()].slice(0, -LOST_MAX)) this.#lost.delete(token);
    } finally {
      this.#running = false;
    }
  }

  async #tryServe(shard: Shard): Promise<void> {
    try {
      await this.#serve(shard);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      this.#alarm(shard, FAILED_PAUSE_MS);
      // An outage is reported by the connection, which signals when it is over.
      if (this.#options.settler.link.isUp) this.#options.report(error);
    }
  }

  async #serve(shard: Shard): Promise<void> {
    const { consumer, settler, newToken } = this.#options;
    const limit = Math.max(0, Math.min(CLAIM_MAX, this.#consumer.capacity()));
    const nowMs = settler.clock();
    const sinceMs = nowMs - (this.#claimedAtMs.get(shard) ?? 0);
    if (limit === 0 && sinceMs < FULL_PAUSE_MS) {
      this.#alarm(shard, FULL_PAUSE_MS - sinceMs);
      return;
    }
    this.#claimedAtMs.set(shard, nowMs);
    for (const [token, of] of this.#lost) {
      await of.recover(token);
      this.#lost.delete(token);
    }
    const token = newToken();
    const bounds = this.#rooms.bounds();
    const leaseMs = Math.ceil(consumer.leaseMs);
    if (limit > 0) this.#lost.set(token, shard);
    const laneLimit = Math.min(limit, consumer.slowStart ?? limit);
    const reply = await shard.claim({ limit, leaseMs, token, laneLimit, bounds });
    this.#lost.delete(token);
    const served = this.#take(shard, reply, nowMs + leaseMs);
    if (reply.nextMs !== undefined) this.#alarm(shard, reply.nextMs);
    if (limit === 0 || this.#closed || reply.more === "none") return;
    const goesOn = reply.more === "any" || [...served].some((key) => this.#rooms.room(key) > 0);
    if (goesOn) this.#pending.add(shard);
  }

  /** @returns the lanes something was taken of, other than in vain */
  #take(shard: Shard, { claimed, expired }: ClaimReply, leaseUntilMs: number): Set<string> {
    const served = new Set<string>();
    const refused = new Set<string>();
    for (const raw of claimed) {
      const claim = this.#claimOf(shard, raw, leaseUntilMs);
      if (claim === undefined) {
        served.add(keyOf(raw.message));
        continue;
      }
      const key = keyOf(claim.message);
      // Behind a refused message its whole lane waits; the server puts them back in order.
      if (
        this.#closed ||
        refused.has(key) ||
        this.#consumer.capacity() <= 0 ||
        !this.#consumer.accepts(claim.message)
      ) {
        if (!this.#closed && !refused.has(key) && this.#consumer.capacity() > 0) {
          refused.add(key);
          this.#rooms.refused(key);
        }
        this.#rooms.taken(key);
        this.#behind(claim.release());
        continue;
      }
      this.#rooms.taken(key);
      this.#rooms.accepted(key);
      served.add(key);
      this.#consumer.deliver(claim);
    }
    for (const raw of expired) void this.#expired(shard, raw);
    return served;
  }

  #claimOf(shard: Shard, raw: RawMessage, leaseUntilMs: number): Claim<Body> | undefined {
    const { settler } = this.#options;
    const message = this.#decoded(raw);
    if (message === undefined) {
      this.#behind(shard.settle({ op: "d", id: raw.message.id, token: raw.token, argument: UNREADABLE }));
      return undefined;
    }
    const key = keyOf(message);
    return new Claim({
      message,
      leaseUntilMs,
      clock: settler.clock,
      settle: (op, argument) => shard.settle({ op, id: message.id, token: raw.token, argument }),
      pause: (leftMs) => settler.pause(Math.min(leftMs, settler.link.isUp ? FAILED_PAUSE_MS : leftMs)),
      isClosed: () => settler.isClosed,
      onEnd: () => {
        if (this.#rooms.ended(key)) this.signal(shard);
      },
    });
  }

  async #expired(shard: Shard, raw: RawMessage): Promise<void> {
    const message = this.#decoded(raw);
    const heard = message === undefined ? { end: UNREADABLE } : await this.#consumer.onExpired(message);
    if (heard === undefined) return;
    const { end } = heard;
    const { token } = raw;
    // Only now is it at its end: had this process ended before, another consumer would have heard of it.
    this.#behind(
      shard.settle({ op: end === undefined ? "a" : "d", id: raw.message.id, token, argument: end ?? "" }),
    );
  }

  /** Nobody waits for it: an outage is reported by the connection, and what did not arrive ends with its lease. */
  #behind(settled: Promise<unknown>): void {
    settled.catch((error: PlatformError) => {
      if (this.#options.settler.link.isUp) this.#options.report(error);
    });
  }

  #decoded({ message }: RawMessage): Message<Body> | undefined {
    try {
      return { ...message, body: this.#options.codec.decode(message.body) };
    } catch (cause) {
      const text = `Message ${message.id} of ${message.topic} cannot be read; it is put to the dead letters.`;
      this.#options.report(new PlatformError("CS_INTERNAL", text, { cause }));
      return undefined;
    }
  }

  #alarm(shard: Shard, afterMs: number): void {
    clearTimeout(this.#alarms.get(shard));
    if (this.#closed) return;
    // One millisecond more than the server says: its clock and this timer both cut off fractions.
    const alarm = setTimeout(() => this.signal(shard), Math.min(afterMs + 1, 2 ** 30));
    alarm.unref();
    this.#alarms.set(shard, alarm);
  }
}
