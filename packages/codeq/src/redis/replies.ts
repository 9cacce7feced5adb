import { randomUUID } from "node:crypto";
import { PlatformError } from "@sous/contract";
import type { ReplyChannel } from "../codeq.ts";
import type { BodyCodec } from "../memory/durable-log.ts";
import { Batcher } from "./batcher.ts";
import type { RedisLink } from "@sous/store/redis-link";
import { runScript, type Script } from "@sous/store/redis-link";
import { keysOfReplies } from "./shard-keys.ts";

/** What may wait in one gateway's channel, and how long, in milliseconds, when the gateway does not read. */
const RESULTS_MAX = 4096;
const RESULTS_BYTES_MAX = 64 * 1024 * 1024;
const RESULTS_TTL_MS = 60_000;
/** A gateway that does not say so for as long does not live. */
const MARK_TTL_MS = 15_000;
const MARK_AGAIN_MS = 5000;
const READ_COUNT = 64;
const BATCHES_IN_FLIGHT = 4;
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
const CHANNELS_MAX = 1024;
const BLOCK_SECONDS = 5;
/** A read that takes longer has lost its connection without knowing. */
const BLOCK_PATIENCE_MS = 1000 * BLOCK_SECONDS + 3000;
const FAILED_PAUSE_MS = 250;

const NAME = /^[\w-]{1,64}$/;

export interface RepliesOptions<Result> {
  link: RedisLink;
  /** Makes a connection that may block. */
  openLink: () => Promise<RedisLink>;
  prefix: string;
  script: Script;
  codec: BodyCodec<Result>;
  report: (error: PlatformError) => void;
}

/** Sends results to gateways: they wait in the gateway's list until that one reads them, which is at once. */
export class ReplySender<Result> {
  readonly #options: RepliesOptions<Result>;
  /** One for each gateway, the one used last standing last. */
  readonly #channels = new Map<string, Batcher<string, unknown>>();

  constructor(options: RepliesOptions<Result>) {
    this.#options = options;
  }

  /** @returns whether it was sent; whether somebody waits for it is not known here */
  post(channel: string, requestId: string, result: Result): boolean {
    if (!NAME.test(channel)) return false;
    const { link, codec, report } = this.#options;
    const text = `${requestId}\n${codec.encode(result)}`;
    this.#channel(channel)
      .add(text)
      .catch((error: PlatformError) => {
        if (link.isUp) report(error);
      });
    return true;
  }

  /** Settles when everything that was posted is with the server. */
  async settled(): Promise<void> {
    await Promise.all([...this.#channels.values()].map((channel) => channel.settled()));
  }

  #channel(name: string): Batcher<string, unknown> {
    let batcher = this.#channels.get(name);
    if (batcher === undefined) {
      const { link, prefix, script } = this.#options;
      const keys = keysOfReplies(prefix, name);
      const bounds = [RESULTS_BYTES_MAX, RESULTS_MAX, RESULTS_TTL_MS];
      batcher = new Batcher<string, unknown>({
        gathers: "turn",
        send: async (texts) => {
          await runScript(link, script, keys, [...bounds, ...texts]);
          return [];
        },
        inFlightMax: BATCHES_IN_FLIGHT,
        itemsMax: READ_COUNT,
        bytesMax: BATCH_BYTES_MAX,
        bytesOf: (text) => text.length,
      });
    } else this.#channels.delete(name);
    this.#channels.set(name, batcher);
    // Gateways come and go; one that is forgotten while results are on their way still gets them.
    for (const [oldest] of this.#channels) {
      if (this.#channels.size <= CHANNELS_MAX) break;
      this.#channels.delete(oldest);
    }
    return batcher;
  }
}

/** The channel of one gateway, read by a connection of its own that blocks until there is something. */
export class RedisReplies<Result> implements ReplyChannel<Result> {
  /** Its address; who waits is told apart by request id. */
  readonly #name = randomUUID();
  readonly #options: RepliesOptions<Result>;
  readonly #reader: RedisLink;
  readonly #keys: [mark: string, results: string];
  readonly #waiting = new Map<string, (result: Result) => void>();
  readonly #marker: NodeJS.Timeout;
  /** Why the last read brought nothing, while no later one or another connection says otherwise. */
  #failure: PlatformError | undefined;
  #closed = false;

  private constructor(options: RepliesOptions<Result>, reader: RedisLink) {
    this.#options = options;
    this.#reader = reader;
    this.#keys = keysOfReplies(options.prefix, this.#name);
    this.#marker = setInterval(() => void this.#mark().catch(() => {}), MARK_AGAIN_MS);
    this.#marker.unref();
  }

  /** @throws CS_CODEQ_PUBLISH_FAILED when the server cannot be reached */
  static async open<Result>(options: RepliesOptions<Result>): Promise<RedisReplies<Result>> {
    const replies = new RedisReplies(options, await options.openLink());
    try {
      await replies.#mark();
    } catch (error) {
      await replies[Symbol.asyncDispose]();
      throw error;
    }
    replies.#reader.onReady(() => {
      replies.#failure = undefined;
      // An outage may have outlasted the mark.
      void replies.#mark().catch(() => {});
    });
    void replies.#read();
    return replies;
  }

  expect(requestId: string, receive: (result: Result) => void): string {
    this.#waiting.set(requestId, receive);
    return this.#name;
  }

  forget(_address: string, requestId: string): void {
    this.#waiting.delete(requestId);
  }

  /** @throws CS_CODEQ_PUBLISH_FAILED while results cannot be read: whoever waits here would wait in vain */
  check(): void {
    if (!this.#closed && this.#failure !== undefined) throw this.#failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#marker);
    this.#waiting.clear();
    await this.#reader[Symbol.asyncDispose]();
    await this.#options.link.send("DEL", ...this.#keys).catch(() => {});
  }

  async #mark(): Promise<void> {
    const { link } = this.#options;
    const [mark] = this.#keys;
    await Promise.all([
      link.send("SET", mark, 0, "PX", MARK_TTL_MS, "NX"),
      link.send("PEXPIRE", mark, MARK_TTL_MS),
    ]);
  }

  async #read(): Promise<void> {
    const [mark, results] = this.#keys;
    while (!this.#closed) {
      const patience = setTimeout(() => this.#reader.reset(), BLOCK_PATIENCE_MS);
      patience.unref();
      try {
        const read = await this.#next(results);
        if (read === null) {
          // Nothing waits: what the mark counts begins anew.
          await this.#options.link.send("SET", mark, 0, "PX", MARK_TTL_MS);
        } else {
          const [, texts] = read as [key: string, texts: string[]];
          const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
          this.#options.link.send("INCRBY", mark, -bytes).catch(() => {});
          for (const text of texts) this.#receive(text);
        }
      } catch {
        await new Promise((resolve) => setTimeout(resolve, this.#reader.isUp ? FAILED_PAUSE_MS : 20).unref());
      } finally {
        clearTimeout(patience);
      }
    }
  }

  async #next(results: string): Promise<unknown> {
    try {
      const read = await this.#reader.send("BLMPOP", BLOCK_SECONDS, 1, results, "LEFT", "COUNT", READ_COUNT);
      this.#failure = undefined;
      return read;
    } catch (error) {
      this.#failure = error as PlatformError;
      throw error;
    }
  }

  #receive(text: string): void {
    const at = text.indexOf("\n");
    const requestId = text.slice(0, at);
    const receive = this.#waiting.get(requestId);
    if (receive === undefined) return;
    this.#waiting.delete(requestId);
    try {
      receive(this.#options.codec.decode(text.slice(at + 1)));
    } catch (cause) {
      const message = "A result could not be read, or a waiting ingress threw at it; see the cause.";
      this.#options.report(new PlatformError("CS_INTERNAL", message, { cause }));
    }
  }
}
