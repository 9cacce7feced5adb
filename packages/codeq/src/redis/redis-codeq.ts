import { randomUUID } from "node:crypto";
import { PlatformError } from "@sous/contract";
import { lossWarnings, loadScripts, RedisLink } from "@sous/store/redis-link";
import type {
  CodeQ,
  Consumer,
  DeadFilter,
  DeadHeading,
  DeadLetter,
  DiscardedMessages,
  FoundMessage,
  LaneDepth,
  Message,
  MessageLookup,
  PublishOptions,
  ReplyChannel,
} from "../codeq.ts";
import type { Subscription } from "../codeq.ts";
import { DEAD_LETTER_BOUNDS, trimEveryMs } from "../dead-letter-bounds.ts";
import type { BodyCodec } from "../memory/durable-log.ts";
import { checkMessage, checkTopic } from "../remote/check-message.ts";
import { Pauses } from "../remote/pauses.ts";
import { ConsumerLoop, type Settler } from "./consumer-loop.ts";
import type { RedisCodeQOptions } from "./redis-options.ts";
import { parseRedisUrl } from "./redis-url.ts";
import { RedisReplies, type RepliesOptions, ReplySender } from "./replies.ts";
import { knowsFlags, readScripts } from "./scripts.ts";
import { DEAD_PAGE, type Shard } from "./shard.ts";
import { TopicTable } from "./topic-table.ts";
import { TenantWeights } from "./tenant-weights.ts";
import { WakeBus } from "./wake-bus.ts";

/** Loops over pages of dead letters end here, however many come meanwhile. */
const DEAD_PAGES_MAX = 10_000;
const DISPOSE_PATIENCE_MS = 2000;

/** What only tests ask for. */
export interface RedisCodeQInternals {
  /** The server's time, instead of its own clock. */
  serverNow?: (() => number) | undefined;
  /** How many messages wait before those that are kept as one record (64). */
  togetherBehind?: number | undefined;
}

interface Parts<Body, Result> {
  options: RedisCodeQOptions<Body, Result>;
  link: RedisLink;
  listener: RedisLink;
  topics: TopicTable;
  replies: RepliesOptions<Result>;
  report: (error: PlatformError) => void;
}

/** See `createRedisCodeQ`. */
export class RedisCodeQ<Body, Result> implements CodeQ<Body, Result> {
  readonly isShared = true;
  readonly lookup: MessageLookup<Body>;
  readonly #parts: Parts<Body, Result>;
  readonly #codec: BodyCodec<Body>;
  readonly #bus: WakeBus;
  readonly #weights: TenantWeights;
  readonly #sender: ReplySender<Result>;
  readonly #settler: Settler;
  readonly #loops = new Set<ConsumerLoop<Body>>();
  readonly #channels = new Set<RedisReplies<Result>>();
  /** Called when the connection stands again, or the queue closes. */
  readonly #pauses = new Pauses();
  readonly #name = randomUUID();
  readonly #janitor: NodeJS.Timeout;
  #claims = 0;
  #closed = false;

  private constructor(parts: Parts<Body, Result>) {
    this.#parts = parts;
    const { options, link, listener, topics, report } = parts;
    this.#codec = options.codec ?? jsonCodec<Body>();
    this.#sender = new ReplySender(parts.replies);
    this.#bus = new WakeBus(listener, report, () => {
      for (const loop of this.#loops) loop.signalAll();
    });
    this.#weights = new TenantWeights({ link, bus: this.#bus, prefix: topics.prefix, topics, report });
    link.onReady(() => {
      this.#pauses.resume();
      for (const loop of this.#loops) loop.signalAll();
    });
    this.#janitor = setInterval(() => this.#clean(), trimEveryMs(options.deadLetters ?? DEAD_LETTER_BOUNDS));
    this.#janitor.unref();
    this.lookup = {
      find: async (topic, tenant, id) => {
        const message = await topics.shardOf(topic, tenant).find(tenant, id);
        return message && this.#decoded(message);
      },
      newest: async (topic, filter, below, limit) => {
        const page = await topics.shardOf(topic, filter.tenant).newest(filter, below, limit);
        return { ...page, found: page.found.flatMap((each) => this.#readable(each)) };
      },
    };
    const closed = (): boolean => this.#closed;
    this.#settler = {
      link,
      clock: options.clock,
      pause: (ms) => this.#pauses.pause(ms),
      get isClosed() {
        return closed();
      },
    };
  }

  static async open<Body, Result>(
    options: RedisCodeQOptions<Body, Result>,
    internals: RedisCodeQInternals = {},
  ): Promise<RedisCodeQ<Body, Result>> {
    const { clock, deadVolatileMax = 1000, random = Math.random, onError: report = () => {} } = options;
    const target = parseRedisUrl(options.url);
    const { address } = target;
    const server = { address, subject: "the queue's server", code: "CS_CODEQ_PUBLISH_FAILED" } as const;
    const openLink = (blocks: boolean) => RedisLink.open({ ...server, blocks, random, report });
    const link = await openLink(false);
    let listener: RedisLink | undefined;
    try {
      listener = await openLink(false);
      const scripts = readScripts(await knowsFlags(link));
      await loadScripts(link, [...Object.values(scripts.shard), scripts.reply]);
      const { prefix, shards } = target;
      const topics = new TopicTable({
        link,
        scripts,
        prefix,
        shards,
        deadVolatileMax,
        deadLetters: options.deadLetters ?? DEAD_LETTER_BOUNDS,
        onDeadLettersDropped: options.onDeadLettersDropped ?? (() => {}),
        clock,
        ...internals,
        report,
      });
      await topics.agree();
      const codec = options.resultCodec ?? jsonCodec<Result>();
      const replies = { link, openLink: () => openLink(true), prefix, script: scripts.reply, codec, report };
      const queue = new RedisCodeQ<Body, Result>({ options, link, listener, topics, replies, report });
      await queue.#weights.load();
      for (const text of await lossWarnings(link, server.subject)) options.onWarning?.(text);
      return queue;
    } catch (error) {
      await Promise.all([link[Symbol.asyncDispose](), listener?.[Symbol.asyncDispose]()]);
      throw error;
    }
  }

  async publish(message: Message<Body>, options: PublishOptions): Promise<void> {
    if (this.#closed) throw queueClosed("CS_CODEQ_PUBLISH_FAILED");
    checkTopic(message.topic);
    checkMessage(message);
    const body = this.#codec.encode(message.body);
    const { bodyLengthMax = 16 * 1024 * 1024 } = this.#parts.options;
    if (body.length > bodyLengthMax) throw tooLarge(body.length, bodyLengthMax);
    const shard = this.#parts.topics.publishing(message.topic, message.tenant);
    const { id, topic, tenant, lane, attempt, enqueued_at_ms, due_at_ms, expires_at_ms } = message;
    // Written out: V8 copies by `...` slowly.
    const written = { id, topic, tenant, lane, body, attempt, enqueued_at_ms, due_at_ms, expires_at_ms };
    const verdict = await shard.publish(written, options);
    if (verdict === "full") throw queueFull(message.lane, options.depthMax);
    // Other than with the embedded journal there is no shared transaction: the work is there first.
    if (verdict === "taken" && options.durable) await options.together?.();
  }

  async consume(consumer: Consumer<Body>): Promise<Subscription> {
    if (this.#closed) throw queueClosed("CS_CODEQ_SUBSCRIBE_FAILED");
    checkTopic(consumer.topic);
    const shards = this.#parts.topics.consuming(consumer.topic);
    await this.#weights.apply(shards);
    const loop = new ConsumerLoop<Body>({
      consumer,
      shards,
      settler: this.#settler,
      codec: this.#codec,
      newToken: () => `${this.#name}.${++this.#claims}:`,
      report: this.#parts.report,
    });
    const stops = await Promise.all(
      shards.map((shard) =>
        this.#bus.listen(shard.channel, (text) =>
          loop.signal(shard, text === "" ? [] : text.split("\u001e")),
        ),
      ),
    );
    this.#loops.add(loop);
    loop.signalAll();
    return {
      wake: (lane) => loop.wake(lane),
      close: async () => {
        loop.close();
        this.#loops.delete(loop);
        if (!this.#closed) await Promise.all(stops.map((stop) => stop()));
      },
    };
  }

  async cancel(id: string, topic?: string): Promise<Message<Body> | undefined> {
    const { topics } = this.#parts;
    const names = topic === undefined ? await topics.known() : [topic];
    for (const name of names) {
      for (const shard of topics.shardsOf(name)) {
        const message = await shard.cancel(id);
        if (message !== undefined) return this.#decoded(message);
      }
    }
    return undefined;
  }

  async depth(topic: string): Promise<LaneDepth[]> {
    const depths = await Promise.all(this.#parts.topics.shardsOf(topic).map((shard) => shard.depths()));
    return depths.flat();
  }

  async topics(): Promise<string[]> {
    return await this.#parts.topics.known();
  }

  async discard(topic: string, which: DiscardedMessages, limit: number): Promise<number> {
    let count = 0;
    for (const shard of this.#parts.topics.shardsOf(topic))
      count += await shard.discard(which, limit - count);
    return count;
  }

  async deadCount(topic: string): Promise<number> {
    const counts = await Promise.all(this.#parts.topics.shardsOf(topic).map((shard) => shard.deadCount()));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async dead(topic: string, limit: number): Promise<DeadLetter<Body>[]> {
    const letters: DeadLetter<Body>[] = [];
    for (const shard of this.#parts.topics.shardsOf(topic)) {
      for (let page = 0; page < DEAD_PAGES_MAX && letters.length < limit; page++) {
        const count = Math.min(DEAD_PAGE, limit - letters.length);
        const found = await shard.dead(page * DEAD_PAGE, count);
        for (const { message, reason } of found) letters.push({ message: this.#decoded(message), reason });
        if (found.length < count) break;
      }
    }
    return letters;
  }

  async deadPage(topic: string, filter: DeadFilter, after: number, limit: number): Promise<DeadHeading[]> {
    return await this.#parts.topics.shardOf(topic, filter.tenant).deadPage(filter, after, limit);
  }

  async findDead(topic: string, tenant: string, id: string): Promise<DeadLetter<Body> | undefined> {
    const letter = await this.#parts.topics.shardOf(topic, tenant).letter(tenant, id, false);
    return letter && { message: this.#decoded(letter.message), reason: letter.reason };
  }

  async removeDead(topic: string, tenant: string, id: string): Promise<boolean> {
    return (await this.#parts.topics.shardOf(topic, tenant).letter(tenant, id, true)) !== undefined;
  }

  async redrive(topic: string, id?: string): Promise<number> {
    let count = 0;
    for (const shard of this.#parts.topics.shardsOf(topic)) {
      count += id === undefined ? await redriveAll(shard) : await shard.redrive(id);
    }
    return count;
  }

  async openReplies(): Promise<ReplyChannel<Result>> {
    if (this.#closed) throw queueClosed("CS_CODEQ_SUBSCRIBE_FAILED");
    const channel = await RedisReplies.open(this.#parts.replies);
    this.#channels.add(channel);
    return channel;
  }

  reply(address: string, requestId: string, result: Result): boolean {
    return this.#sender.post(address, requestId, result);
  }

  setWeight(tenant: string, weight: number): void {
    this.#weights.set(tenant, weight);
  }

  async belongTo(platform: string): Promise<void> {
    await this.#parts.topics.belongTo(platform);
  }

  async check(): Promise<void> {
    if (this.#closed) throw queueClosed("CS_CODEQ_PUBLISH_FAILED");
    // A write, since a server may answer and yet take none: a full disk, no memory, a replica.
    const { link, listener, topics } = this.#parts;
    await Promise.all([link.send("SET", `${topics.prefix}check`, 1, "PX", 60_000), listener.send("PING")]);
    // Read over connections of their own: a call would be taken, and its end never heard of.
    for (const channel of this.#channels) channel.check();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { link, listener, topics } = this.#parts;
    clearInterval(this.#janitor);
    for (const loop of this.#loops) loop.close();
    this.#pauses.close();
    const patience = new Promise((done) => setTimeout(done, DISPOSE_PATIENCE_MS).unref());
    await Promise.race([this.#written(topics), patience]);
    await Promise.all([...this.#channels].map((channel) => channel[Symbol.asyncDispose]()));
    this.#bus[Symbol.dispose]();
    await Promise.all([link[Symbol.asyncDispose](), listener[Symbol.asyncDispose]()]);
  }

  /** Settles when nothing is on its way to consumers any more; for tests. */
  async settled(): Promise<void> {
    do await this.#bus.settled();
    while ([...this.#loops].some((loop) => !loop.isIdle));
  }

  /** Looks for what fell due, as an alarm would; for tests that move the time. */
  look(): void {
    for (const loop of this.#loops) loop.look();
  }

  /** Settles when what consumers got too late was given back, and every end was said. */
  async #written(topics: TopicTable): Promise<void> {
    while ([...this.#loops].some((loop) => !loop.isIdle)) await new Promise((again) => setTimeout(again, 5));
    // The last answers of a process that ends are waited for elsewhere.
    await Promise.all([topics.settled(), this.#sender.settled()]);
  }

  /** Looks after the topics that are consumed here; an outage is reported by the connection. */
  #clean(): void {
    const { link, topics, report } = this.#parts;
    if (!link.isUp) return;
    for (const shard of topics.consumed()) {
      shard.trimDead().catch((error: PlatformError) => {
        if (link.isUp && !this.#closed) report(error);
      });
    }
  }

  /** What cannot be read is put to the dead letters when it is claimed, and is no reason to show nothing. */
  #readable({ message, wasDelivered }: FoundMessage<string>): FoundMessage<Body>[] {
    try {
      return [{ message: this.#decoded(message), wasDelivered }];
    } catch {
      return [];
    }
  }

  #decoded(message: Message<string>): Message<Body> {
    return { ...message, body: this.#codec.decode(message.body) };
  }
}

async function redriveAll(shard: Shard): Promise<number> {
  const total = await shard.deadCount();
  let count = 0;
  // What dies meanwhile is not put back again: that could go on for ever.
  while (count < total) {
    const went = await shard.redrive(undefined);
    if (went === 0) break;
    count += went;
  }
  return count;
}

function jsonCodec<Value>(): BodyCodec<Value> {
  return { encode: (value) => JSON.stringify(value ?? null), decode: (json) => JSON.parse(json) as Value };
}

function queueFull(lane: string, depthMax: number): PlatformError {
  const message = `The queue of ${lane} holds ${depthMax} waiting messages, as many as it may.`;
  return new PlatformError("CS_QUEUE_FULL", message, {
    retryAfterSeconds: 1,
    details: { reason: "depth", lane, depth_max: depthMax },
  });
}

const tooLarge = (length: number, lengthMax: number): PlatformError =>
  new PlatformError("CS_PAYLOAD_TOO_LARGE", `a message of ${length} characters is more than ${lengthMax}`);

function queueClosed(code: "CS_CODEQ_PUBLISH_FAILED" | "CS_CODEQ_SUBSCRIBE_FAILED"): PlatformError {
  return new PlatformError(code, "The queue is closed: this process is ending.");
}
