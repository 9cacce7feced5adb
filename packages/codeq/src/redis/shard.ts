import type {
  DeadFilter,
  DeadHeading,
  DiscardedMessages,
  FoundMessage,
  LaneDepth,
  Message,
  MessageFilter,
  MessagePage,
  MessagePlace,
  PublishOptions,
} from "../codeq.ts";
import type { DeadLetterBounds } from "../dead-letter-bounds.ts";
import { Batcher } from "./batcher.ts";
import { FIELDS_PER_MESSAGE, type RawMessage, readMessage } from "./message-fields.ts";
import { type Publishing, publishArgs } from "./publish-args.ts";
import { type RedisLink, runScript } from "@sous/store/redis-link";
import type { Scripts, ShardScript } from "./scripts.ts";
import { channelOfShard, keysOfShard } from "./shard-keys.ts";

const BATCHES_IN_FLIGHT = 2;
const BATCH_ITEMS_MAX = 64;
/** Publishes that go while the turn still runs: of 64 callers at once half are worth a sync of the server's file. */
const BATCH_WORTH = 32;
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
/** Messages that wait before those that are kept as one record (`lua/publish.lua`). */
const TOGETHER_BEHIND = 64;
/** Messages let go of in one call. */
const DISCARDED_AT_ONCE = 100;
/** Calls a page of messages is gathered in; with fewer found by then it is short. */
const PAGE_CALLS_MAX = 20;
/** Bytes of bodies one claim brings, unless a single message holds more. */
const CLAIM_BYTES_MAX = 8 * 1024 * 1024;
/** And one page of messages. */
const PAGE_BYTES_MAX = 8 * 1024 * 1024;
/** How long somebody who was told of an expired message has to say that he heard, in milliseconds. */
const EXPIRED_HOLD_MS = 30_000;
/** Dead letters read or put back in one call. */
export const DEAD_PAGE = 100;

export type PublishVerdict = "taken" | "known" | "full";

/** How a claim ends or goes on; the letters are those of `lua/settle.lua`. */
export type SettleOp = "a" | "n" | "r" | "d" | "x";

export interface Settlement {
  op: SettleOp;
  id: string;
  token: string;
  /** Delay or lease in milliseconds, or a reason. */
  argument: string | number;
}

export interface ClaimRequest {
  limit: number;
  leaseMs: number;
  /** What the tokens of this claim begin with; no other claim's may. */
  token: string;
  /** How many are taken of a lane that `bounds` do not name. */
  laneLimit: number;
  /** Pairs of a lane and how many more of it are taken. */
  bounds: readonly (string | number)[];
}

export interface ClaimReply {
  claimed: RawMessage[];
  expired: RawMessage[];
  /** Whether there may be more at once: of any lane, or behind what was taken of one as much as was asked for. */
  more: "none" | "any" | "behind";
  /** Until something falls due, in milliseconds; `undefined` for never. */
  nextMs: number | undefined;
}

export interface ShardOptions {
  deadLetters: DeadLetterBounds;
  onDeadLettersDropped: (topic: string, count: number) => void;
  link: RedisLink;
  scripts: Scripts;
  prefix: string;
  topic: string;
  number: number;
  /** Non-durable dead letters kept. */
  deadVolatileMax: number;
  /** Publishers' clock, by which their times are told from now. */
  clock: () => number;
  /** The server's time for a test that moves it itself; else the server's own clock decides. */
  serverNow?: (() => number) | undefined;
  /** How many messages wait before those that are kept as one record, for a test that has few (64). */
  togetherBehind?: number | undefined;
}

/** One shard of a topic as calls of its scripts: each of them one round trip, and atomic. */
export class Shard {
  readonly topic: string;
  readonly number: number;
  readonly channel: string;
  readonly #options: ShardOptions;
  readonly #keys: readonly string[];
  readonly #publishes: Batcher<Publishing, PublishVerdict>;
  readonly #settlements: Batcher<Settlement, boolean>;

  constructor(options: ShardOptions) {
    const { prefix, topic, number } = options;
    this.topic = topic;
    this.number = number;
    this.#options = options;
    this.#keys = keysOfShard(prefix, topic, number);
    this.channel = channelOfShard(prefix, topic, number);
    const batch = { inFlightMax: BATCHES_IN_FLIGHT, itemsMax: BATCH_ITEMS_MAX, bytesMax: BATCH_BYTES_MAX };
    this.#publishes = new Batcher({
      ...batch,
      gathers: "turn",
      worth: BATCH_WORTH,
      send: (items) => this.#publish(items),
      bytesOf: ({ message }) => message.body.length,
    });
    this.#settlements = new Batcher({
      ...batch,
      // What a consumer gives back goes at once: until it is there, a claim takes what stands behind it.
      gathers: "this",
      send: (items) => this.#settle(items),
      bytesOf: ({ argument }) => String(argument).length,
    });
  }

  publish(message: Message<string>, options: PublishOptions): Promise<PublishVerdict> {
    return this.#publishes.add({ message, options });
  }

  /** @returns whether the token still held the message */
  settle(settlement: Settlement): Promise<boolean> {
    return this.#settlements.add(settlement);
  }

  async claim({ limit, leaseMs, token, laneLimit, bounds }: ClaimRequest): Promise<ClaimReply> {
    const args = [limit, leaseMs, token, CLAIM_BYTES_MAX, EXPIRED_HOLD_MS, laneLimit, ...bounds];
    const [nextMs, more, claimed, expired, ...fields] = await this.#run("claim", args);
    const messages = this.#read(fields, FIELDS_PER_MESSAGE);
    const count = Number(claimed);
    return {
      claimed: messages.slice(0, count),
      expired: messages.slice(count, count + Number(expired)),
      more: more === 1 ? "any" : more === 2 ? "behind" : "none",
      nextMs: Number(nextMs) < 0 ? undefined : Number(nextMs),
    };
  }

  /** Gives back what a claim with this token took, where its reply never came. */
  async recover(token: string): Promise<void> {
    await this.#call("recover", [token]);
  }

  async cancel(id: string): Promise<Message<string> | undefined> {
    return this.#read(await this.#run("cancel", [id]), FIELDS_PER_MESSAGE)[0]?.message;
  }

  async find(tenant: string, id: string): Promise<Message<string> | undefined> {
    return this.#read(await this.#run("find", [id, tenant]), FIELDS_PER_MESSAGE)[0]?.message;
  }

  async newest(
    { tenant, lane = "" }: MessageFilter,
    below: MessagePlace | undefined,
    limit: number,
  ): Promise<MessagePage<string>> {
    const found: FoundMessage<string>[] = [];
    const size = FIELDS_PER_MESSAGE + 1;
    let place = below;
    let bytesLeft = PAGE_BYTES_MAX;
    for (let call = 0; call < PAGE_CALLS_MAX && found.length < limit && bytesLeft > 0; call++) {
      const from = place === undefined ? ["", ""] : [place.enqueued_at_ms, place.id];
      const args = [tenant, lane, ...from, limit - found.length, bytesLeft];
      const [moment, id, ...fields] = await this.#run("newest", args);
      for (const [at, { message }] of this.#read(fields, size).entries()) {
        found.push({ message, wasDelivered: fields[at * size + FIELDS_PER_MESSAGE] === 1 });
        bytesLeft -= message.body.length;
      }
      if (moment === "") return { found };
      place = { enqueued_at_ms: Number(moment), id: String(id) };
    }
    return { found, next: place };
  }

  /** Lets go of waiting messages, unheard. @returns how many */
  async discard(which: DiscardedMessages, limit: number): Promise<number> {
    let count = 0;
    while (count < limit) {
      const most = Math.min(DISCARDED_AT_ONCE, limit - count);
      const [went, more] = await this.#run("discard", [which, most]);
      count += Number(went);
      if (more !== 1) break;
    }
    return count;
  }

  async depths(): Promise<LaneDepth[]> {
    const lanes = (await this.#options.link.send("HGETALL", this.#key(3))) as Record<string, string>;
    return Object.entries(lanes).map(([key, counts]) => {
      const [tenant = "", lane = ""] = key.split("\u001f");
      const [ready = 0, delayed = 0, claimed = 0] = counts.split(" ").map(Number);
      return { tenant, lane, ready, delayed, claimed };
    });
  }

  async dead(from: number, count: number): Promise<{ message: Message<string>; reason: string }[]> {
    const fields = await this.#run("dead", [from, from + count - 1]);
    const size = FIELDS_PER_MESSAGE + 1;
    return this.#read(fields, size).map(({ message }, at) => ({
      message,
      reason: String(fields[at * size + FIELDS_PER_MESSAGE]),
    }));
  }

  async deadPage({ tenant, lane }: DeadFilter, after: number, limit: number): Promise<DeadHeading[]> {
    const found: DeadHeading[] = [];
    for (let from = String(after); from !== "" && found.length < limit;) {
      const [next, ...fields] = await this.#run("headings", [from, limit - found.length, tenant, lane]);
      for (let at = 0; at + 7 <= fields.length; at += 7) found.push(headingOf(fields.slice(at, at + 7)));
      from = String(next);
    }
    return found;
  }

  /** @param removed whether it is taken away as well */
  async letter(
    tenant: string,
    id: string,
    removed: boolean,
  ): Promise<{ message: Message<string>; reason: string } | undefined> {
    const fields = await this.#run("letter", [id, tenant, removed ? 1 : 0]);
    const [found] = this.#read(fields, FIELDS_PER_MESSAGE + 1);
    return found && { message: found.message, reason: String(fields[FIELDS_PER_MESSAGE]) };
  }

  async deadCount(): Promise<number> {
    return Number(await this.#options.link.send("ZCARD", this.#key(9)));
  }

  /** Takes away what has been dead for too long. */
  async trimDead(): Promise<void> {
    for (let count = DEAD_PAGE; count === DEAD_PAGE;) {
      count = Number(await this.#call("trim", [this.#options.deadLetters.ttlMs, DEAD_PAGE]));
      this.#dropped(count);
    }
  }

  /** @returns how many went back: the one with this id, or the oldest */
  async redrive(id: string | undefined): Promise<number> {
    return Number(await this.#call("redrive", [DEAD_PAGE, id ?? ""]));
  }

  /** Says what tenants weigh here; `undefined` for the usual weight. */
  async setWeights(
    weights: readonly (readonly [tenant: string, weight: number | undefined])[],
  ): Promise<void> {
    const set = weights.flatMap(([tenant, weight]) => (weight === undefined ? [] : [tenant, weight]));
    const unset = weights.flatMap(([tenant, weight]) => (weight === undefined ? [tenant] : []));
    const { link } = this.#options;
    await Promise.all([
      set.length > 0 ? link.send("HSET", this.#key(13), ...set) : undefined,
      unset.length > 0 ? link.send("HDEL", this.#key(13), ...unset) : undefined,
    ]);
  }

  /** Settles when nothing is on its way to the server. */
  async settled(): Promise<void> {
    await Promise.all([this.#publishes.settled(), this.#settlements.settled()]);
  }

  async #publish(items: readonly Publishing[]): Promise<PublishVerdict[]> {
    const { clock, togetherBehind = TOGETHER_BEHIND } = this.#options;
    const verdicts = await this.#run("publish", [togetherBehind, ...publishArgs(items, clock())]);
    return verdicts.map((verdict) => (verdict === 1 ? "taken" : verdict === 0 ? "known" : "full"));
  }

  async #settle(items: readonly Settlement[]): Promise<boolean[]> {
    const args = items.flatMap(({ op, id, token, argument }) => [op, id, token, argument]);
    const { deadVolatileMax, deadLetters } = this.#options;
    const bounds = [deadVolatileMax, deadLetters.countMax, deadLetters.bytesMax];
    const replies = await this.#run("settle", [...bounds, ...args]);
    this.#dropped(Number(replies.pop()));
    return replies.map((reply) => reply === 1);
  }

  #dropped(count: number): void {
    if (count > 0) this.#options.onDeadLettersDropped(this.topic, count);
  }

  #read(fields: readonly unknown[], size: number): RawMessage[] {
    const messages: RawMessage[] = [];
    for (let at = 0; at + size <= fields.length; at += size) {
      messages.push(readMessage(this.topic, fields, at));
    }
    return messages;
  }

  async #run(name: ShardScript, args: readonly (string | number)[]): Promise<unknown[]> {
    return (await this.#call(name, args)) as unknown[];
  }

  #call(name: ShardScript, args: readonly (string | number)[]): Promise<unknown> {
    const { link, scripts, serverNow } = this.#options;
    const nowMs = serverNow === undefined ? "" : serverNow();
    return runScript(link, scripts.shard[name], this.#keys, [nowMs, this.channel, ...args]);
  }

  #key(at: number): string {
    return this.#keys[at] as string;
  }
}

function headingOf(fields: readonly unknown[]): DeadHeading {
  const [id = "", lane = "", attempt, enqueued, died, reason = "", at] = fields.map(String);
  return {
    id,
    lane,
    attempt: Number(attempt),
    enqueued_at_ms: Number(enqueued),
    dead_at_ms: Number(died),
    reason,
    at: Number(at),
  };
}
