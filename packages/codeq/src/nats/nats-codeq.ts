import { randomUUID } from "node:crypto";
import { PlatformError } from "@sous/contract";
import type {
  CodeQ,
  Consumer,
  DeadFilter,
  DeadHeading,
  DeadLetter,
  DiscardedMessages,
  LaneDepth,
  Message,
  PublishOptions,
  ReplyChannel,
  Subscription,
} from "../codeq.ts";
import type { BodyCodec } from "../memory/durable-log.ts";
import { checkMessage, checkTopic } from "../remote/check-message.ts";
import { Calls } from "./calls.ts";
import { Pauses } from "../remote/pauses.ts";
import { ConsumerSession, type Settler } from "./consumer-session.ts";
import { Leadership } from "./leadership.ts";
import { LogStream } from "./log-stream.ts";
import { NatsLink } from "./nats-link.ts";
import type { NatsCodeQOptions } from "./nats-options.ts";
import { parseNatsUrl } from "./nats-url.ts";
import { NatsReplies, type RepliesOptions, ReplySender } from "./replies.ts";
import { fromWire, type SettleOp, subjectsOf, toWire, type WireItem, type WireMessage } from "./wire.ts";

const DISPOSE_PATIENCE_MS = 2000;
const DEAD_PAGE = 100;
const HEADINGS_PAGE = 500;
/** What a message of the platform may come to; a server that carries less refuses such. */
const PAYLOAD_BYTES_WANTED = 8 * 1024 * 1024;
/** JSON around a body. */
const ENVELOPE_BYTES = 8192;

interface Parts<Result> {
  link: NatsLink;
  calls: Calls;
  leadership: Leadership;
  replies: RepliesOptions<Result>;
}

/** See `createNatsCodeQ`. */
export class NatsCodeQ<Body, Result> implements CodeQ<Body, Result> {
  readonly isShared = true;
  readonly #options: NatsCodeQOptions<Body, Result>;
  readonly #parts: Parts<Result>;
  readonly #codec: BodyCodec<Body>;
  readonly #sender: ReplySender<Result>;
  readonly #settler: Settler;
  readonly #sessions: Map<string, ConsumerSession<Body>>;
  readonly #channels = new Set<ReplyChannel<Result>>();
  readonly #weights = new Map<string, number>();
  readonly #pauses = new Pauses();
  /** Ends of claims on their way. */
  #settling = 0;
  #closed = false;

  private constructor(
    options: NatsCodeQOptions<Body, Result>,
    parts: Parts<Result>,
    sessions: Map<string, ConsumerSession<Body>>,
  ) {
    this.#options = options;
    this.#parts = parts;
    this.#sessions = sessions;
    this.#codec = options.codec ?? jsonCodec<Body>();
    this.#sender = new ReplySender(parts.replies);
    const closed = (): boolean => this.#closed;
    this.#settler = {
      clock: options.clock,
      settle: (op, token, argument) => this.#settle(op, token, argument),
      pause: (ms) => this.#pauses.pause(ms),
      get isClosed() {
        return closed();
      },
    };
    parts.leadership.onChange(() => {
      for (const [tenant, weight] of this.#weights) this.#tellWeight(tenant, weight);
      this.#pauses.resume();
      for (const session of sessions.values()) void session.introduceAgain();
    });
  }

  static async open<Body, Result>(options: NatsCodeQOptions<Body, Result>): Promise<NatsCodeQ<Body, Result>> {
    const { clock, random = Math.random, onError: report = () => {}, onWarning } = options;
    const target = parseNatsUrl(options.url);
    const link = await NatsLink.open({ target, random, report });
    try {
      const stream = await LogStream.open(target, link);
      const subjects = subjectsOf(target.prefix);
      const process = randomUUID();
      const sessions = new Map<string, ConsumerSession<Body>>();
      const leadership = new Leadership({
        process,
        link,
        stream,
        subjects,
        clock,
        random,
        report,
        deadLetters: options.deadLetters,
        onDeadLettersDropped: options.onDeadLettersDropped,
      });
      const onItem = (item: WireItem): void => {
        const session = sessions.get(String(item[1]));
        if (session !== undefined) session.take(item);
        // Its consumer failed to introduce itself, as far as it knows.
        else if (item[0] === "deliver") calls.tell("settle", "r", item[3], "");
      };
      const calls = new Calls({ process, link, subjects, leadership, onItem });
      const codec = options.resultCodec ?? jsonCodec<Result>();
      const replies = { link, subjects, codec, report };
      const queue = new NatsCodeQ(options, { link, calls, leadership, replies }, sessions);
      if (link.payloadBytesMax < PAYLOAD_BYTES_WANTED) onWarning?.(smallPayload(link.payloadBytesMax));
      try {
        await leadership.find();
      } catch (error) {
        await queue[Symbol.asyncDispose]();
        throw error;
      }
      return queue;
    } catch (error) {
      await link[Symbol.asyncDispose]();
      throw error;
    }
  }

  async publish(message: Message<Body>, options: PublishOptions): Promise<void> {
    if (this.#closed) throw queueClosed("CS_CODEQ_PUBLISH_FAILED");
    checkTopic(message.topic);
    checkMessage(message);
    const wire = toWire({ ...message, body: this.#codec.encode(message.body) });
    this.#checkLength(wire[8]);
    const verdict = await this.#parts.calls.call("publish", wire, options.depthMax, options.durable);
    if (verdict === "full") throw queueFull(message.lane, options.depthMax);
    // Other than with the embedded journal there is no shared transaction: the work is there first.
    if (verdict === "taken" && options.durable) await options.together?.();
  }

  async consume(consumer: Consumer<Body>): Promise<Subscription> {
    if (this.#closed) throw queueClosed("CS_CODEQ_SUBSCRIBE_FAILED");
    checkTopic(consumer.topic);
    const session = new ConsumerSession<Body>({
      name: randomUUID(),
      consumer,
      calls: this.#parts.calls,
      settler: this.#settler,
      codec: this.#codec,
      report: this.#options.onError ?? (() => {}),
    });
    this.#sessions.set(session.name, session);
    try {
      await session.introduce();
    } catch (error) {
      void session.close();
      this.#sessions.delete(session.name);
      throw error;
    }
    return {
      wake: (lane) => session.wake(lane),
      close: async () => {
        await session.close();
        this.#sessions.delete(session.name);
      },
    };
  }

  async cancel(id: string): Promise<Message<Body> | undefined> {
    const wire = (await this.#parts.calls.call("cancel", id)) as WireMessage | null;
    return wire === null ? undefined : this.#decoded(wire);
  }

  async depth(topic: string): Promise<LaneDepth[]> {
    const depths: LaneDepth[] = [];
    for (;;) {
      const page = (await this.#parts.calls.call("depth", topic, depths.length)) as LaneDepth[];
      if (page.length === 0) return depths;
      depths.push(...page);
    }
  }

  async topics(): Promise<string[]> {
    const topics: string[] = [];
    for (;;) {
      const page = (await this.#parts.calls.call("topics", topics.length)) as string[];
      if (page.length === 0) return topics;
      topics.push(...page);
    }
  }

  async discard(topic: string, which: DiscardedMessages, limit: number): Promise<number> {
    return Number(await this.#parts.calls.call("discard", topic, which, limit));
  }

  async deadCount(topic: string): Promise<number> {
    return Number(await this.#parts.calls.call("dead-count", topic));
  }

  async dead(topic: string, limit: number): Promise<DeadLetter<Body>[]> {
    const letters: DeadLetter<Body>[] = [];
    while (letters.length < limit) {
      const count = Math.min(DEAD_PAGE, limit - letters.length);
      const page = await this.#parts.calls.call("dead", topic, letters.length, count);
      for (const [wire, reason] of page as [WireMessage, string][]) {
        letters.push({ message: this.#decoded(wire), reason });
      }
      if ((page as unknown[]).length === 0) break;
    }
    return letters;
  }

  async deadPage(topic: string, filter: DeadFilter, after: number, limit: number): Promise<DeadHeading[]> {
    const { tenant, lane } = filter;
    const found: DeadHeading[] = [];
    while (found.length < limit) {
      const count = Math.min(HEADINGS_PAGE, limit - found.length);
      const from = found.at(-1)?.at ?? after;
      const page = await this.#parts.calls.call("headings", topic, tenant, lane, from, count);
      found.push(...(page as DeadHeading[]));
      if ((page as DeadHeading[]).length < count) break;
    }
    return found;
  }

  async findDead(topic: string, tenant: string, id: string): Promise<DeadLetter<Body> | undefined> {
    const letter = (await this.#letter(topic, tenant, id, false)) ?? undefined;
    return letter && { message: this.#decoded(letter[0]), reason: letter[1] };
  }

  async removeDead(topic: string, tenant: string, id: string): Promise<boolean> {
    return (await this.#letter(topic, tenant, id, true)) !== null;
  }

  async redrive(topic: string, id?: string): Promise<number> {
    const { calls } = this.#parts;
    let [count, left] = (await calls.call("redrive", topic, id ?? null)) as [number, number];
    // What dies meanwhile is not put back again: that could go on for ever.
    const total = id === undefined ? count + left : count;
    while (count < total) {
      const [went] = (await calls.call("redrive", topic, null)) as [number, number];
      if (went === 0) break;
      count += went;
    }
    return count;
  }

  async openReplies(): Promise<ReplyChannel<Result>> {
    if (this.#closed) throw queueClosed("CS_CODEQ_SUBSCRIBE_FAILED");
    const channel = new NatsReplies(this.#parts.replies);
    this.#channels.add(channel);
    // From here on the server knows where results go.
    await this.#parts.link.flush();
    return channel;
  }

  reply(address: string, requestId: string, result: Result): boolean {
    return this.#sender.post(address, requestId, result);
  }

  setWeight(tenant: string, weight: number): void {
    if (!(weight > 0 && weight < Infinity)) {
      throw new PlatformError("CS_VALIDATION_FAILED", "A tenant's weight is a number above 0.");
    }
    if (weight === 1) this.#weights.delete(tenant);
    else this.#weights.set(tenant, weight);
    this.#tellWeight(tenant, weight);
  }

  async check(): Promise<void> {
    if (this.#closed) throw queueClosed("CS_CODEQ_PUBLISH_FAILED");
    // A write, since a server may answer and yet take none.
    await this.#parts.calls.call("check");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    const { link, calls, leadership } = this.#parts;
    const endMs = performance.now() + DISPOSE_PATIENCE_MS;
    const left = Promise.all([...this.#sessions.values()].map((session) => session.close()));
    await Promise.race([left, this.#pauses.pause(link.isUp ? DISPOSE_PATIENCE_MS : 0)]);
    while (this.#settling > 0 && link.isUp && performance.now() < endMs) {
      await new Promise((again) => setTimeout(again, 5));
    }
    this.#closed = true;
    this.#pauses.close();
    this.#sender.close();
    await Promise.all([...this.#channels].map((channel) => channel[Symbol.asyncDispose]()));
    await leadership[Symbol.asyncDispose]();
    calls[Symbol.dispose]();
    await link.flush();
    await link[Symbol.asyncDispose]();
  }

  async #settle(op: SettleOp, token: string, argument: unknown): Promise<unknown> {
    this.#settling++;
    try {
      return await this.#parts.calls.call("settle", op, token, argument);
    } finally {
      this.#settling--;
    }
  }

  #letter(
    topic: string,
    tenant: string,
    id: string,
    removed: boolean,
  ): Promise<[WireMessage, string] | null> {
    const asked = this.#parts.calls.call("letter", topic, tenant, id, removed);
    return asked as Promise<[WireMessage, string] | null>;
  }

  /** Nobody waits: a coordinator that did not hear is told with the others when the next one is there. */
  #tellWeight(tenant: string, weight: number): void {
    this.#parts.calls.call("weight", tenant, weight).catch(() => {});
  }

  #checkLength(body: string): void {
    const { bodyLengthMax = 16 * 1024 * 1024 } = this.#options;
    if (body.length > bodyLengthMax)
      throw tooLarge(`${body.length} characters is more than ${bodyLengthMax}`);
    const bytesMax = this.#parts.link.payloadBytesMax - ENVELOPE_BYTES;
    // Six bytes at most for a character, escaped and in UTF-8: most need no second look.
    if (body.length <= bytesMax / 6) return;
    const bytes = Buffer.byteLength(JSON.stringify(body));
    if (bytes > bytesMax) {
      throw tooLarge(
        `${bytes} bytes is more than the queue's server carries, ${bytesMax}; raise its max_payload`,
      );
    }
  }

  #decoded(wire: WireMessage): Message<Body> {
    const message = fromWire(wire);
    return { ...message, body: this.#codec.decode(message.body) };
  }
}

function jsonCodec<Value>(): BodyCodec<Value> {
  return { encode: (value) => JSON.stringify(value ?? null), decode: (json) => JSON.parse(json) as Value };
}

const smallPayload = (bytes: number): string =>
  `the queue's server carries messages of ${bytes} bytes; larger events are refused: set max_payload: 16MB`;

function queueFull(lane: string, depthMax: number): PlatformError {
  const message = `The queue of ${lane} holds ${depthMax} waiting messages, as many as it may.`;
  return new PlatformError("CS_QUEUE_FULL", message, {
    retryAfterSeconds: 1,
    details: { reason: "depth", lane, depth_max: depthMax },
  });
}

const tooLarge = (what: string): PlatformError =>
  new PlatformError("CS_PAYLOAD_TOO_LARGE", `a message of ${what}`);

function queueClosed(code: "CS_CODEQ_PUBLISH_FAILED" | "CS_CODEQ_SUBSCRIBE_FAILED"): PlatformError {
  return new PlatformError(code, "The queue is closed: this process is ending.");
}
