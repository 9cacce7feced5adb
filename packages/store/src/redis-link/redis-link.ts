import { type ErrorCode, PlatformError } from "@sous/contract";
import type { Redis, RedisOptions } from "ioredis";
import { type RedisAddress, shownAddress } from "./redis-address.ts";

const CONNECT_TIMEOUT_MS = 3000;
/** A server that does not answer for so long is taken for gone. */
const ANSWER_TIMEOUT_MS = 3000;
const BACKOFF_FIRST_MS = 50;
const BACKOFF_MAX_MS = 2000;

/** What a command takes. */
export type RedisValue = string | number | Buffer;

export interface RedisLinkOptions {
  address: RedisAddress;
  /** What the server is to its callers, for messages: "the queue's server". */
  subject: string;
  /** The code of every failure of this connection. */
  code: ErrorCode;
  /** Where its commands may block on purpose: no answer is no failure then. */
  blocks?: boolean;
  /** Hears of the beginning of each outage, once. */
  report: (error: PlatformError) => void;
  random: () => number;
}

/**
 * One connection that comes back by itself. While it is down every command is refused at once: what waits for a
 * server is the caller's to decide. Nothing is sent twice.
 */
export class RedisLink implements AsyncDisposable {
  readonly #client: Redis;
  readonly #options: RedisLinkOptions;
  readonly #onReady = new Set<() => void>();
  /** Why the connection failed last: what is refused for that says only that it is closed. */
  #lastError: Error | undefined;
  #closed = false;
  #reported = false;

  private constructor(client: Redis, options: RedisLinkOptions) {
    this.#client = client;
    this.#options = options;
    client.on("error", (error) => {
      this.#lastError = error;
    });
    client.on("close", () => {
      if (this.#closed || this.#reported) return;
      this.#reported = true;
      options.report(this.#failure(undefined));
    });
    client.on("ready", () => {
      this.#reported = false;
      for (const listener of this.#onReady) listener();
    });
  }

  /** @throws its code when the server cannot be reached or refuses */
  static async open(options: RedisLinkOptions): Promise<RedisLink> {
    const { Redis } = await importClient(options);
    const link = new RedisLink(new Redis(clientOptions(options)), options);
    try {
      await link.#client.connect();
      // The client goes on in database 0 where the one of the URL cannot be had.
      const { db } = options.address;
      if (db !== 0) await link.send("SELECT", db);
    } catch (cause) {
      await link[Symbol.asyncDispose]();
      throw link.#failure(link.#lastError ?? cause);
    }
    return link;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Not from the moment on it is closed: the client itself says "ready" until the server has answered that. */
  get isUp(): boolean {
    return !this.#closed && this.#client.status === "ready";
  }

  /** @throws its code, with what the server said as its cause */
  send(command: string, ...args: (RedisValue | readonly RedisValue[])[]): Promise<unknown> {
    return this.#answered(this.#client.call(command.toLowerCase(), args.flat()));
  }

  /** As `send`, for answers whose texts are bytes. */
  sendForBytes(command: string, ...args: RedisValue[]): Promise<unknown> {
    return this.#answered(this.#client.callBuffer(command.toLowerCase(), args));
  }

  async #answered(answer: Promise<unknown>): Promise<unknown> {
    try {
      return await answer;
    } catch (cause) {
      // The answer may still come, and would be taken for that of a later command: begin anew.
      if (cause instanceof Error && cause.message === "Command timed out" && this.isUp) this.reset();
      throw this.#failure(cause);
    }
  }

  /** Calls back whenever the connection stands again. @returns a function that stops that */
  onReady(listener: () => void): () => void {
    this.#onReady.add(listener);
    return () => this.#onReady.delete(listener);
  }

  /** Hears the messages of channels this connection subscribed to. */
  onMessage(listener: (channel: string, text: string) => void): void {
    this.#client.on("message", listener);
  }

  /** Drops the connection; another is made unless it is closed. */
  reset(): void {
    if (!this.#closed) this.#client.disconnect(true);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#onReady.clear();
    this.#client.disconnect(false);
    return Promise.resolve();
  }

  #failure(cause: unknown): PlatformError {
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    const { subject, address, code } = this.#options;
    const message = `${subject} ${shownAddress(address)} does not do its work${why}; look at it, then try again`;
    return new PlatformError(code, message, { cause });
  }
}

/** @returns whether the server was reached and answered, with an error */
export const isReply = ({ cause }: PlatformError): boolean =>
  cause instanceof Error && cause.name === "ReplyError";

/** @returns whether the server was reached and answered that it does not know a script */
export const isUnknownScript = ({ cause }: PlatformError): boolean =>
  cause instanceof Error && cause.message.startsWith("NOSCRIPT");

function clientOptions({
  address,
  blocks = false,
  random,
}: RedisLinkOptions): Omit<RedisOptions, "replyMapping"> {
  const { host, port, db, username, password, tls } = address;
  return {
    host,
    port,
    db,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
    // KVRocks speaks the third version only where it is switched on.
    protocol: 2,
    disableClientInfo: true,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: 10_000,
    ...(blocks ? {} : { commandTimeout: ANSWER_TIMEOUT_MS }),
    retryStrategy: (times) => {
      const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(times, 10));
      return Math.ceil(ceiling * (0.5 + random() / 2));
    },
  };
}

async function importClient({ subject, code }: RedisLinkOptions) {
  try {
    return await import("ioredis");
  } catch (cause) {
    const message = `${subject} needs the package ioredis; run npm install`;
    throw new PlatformError(code, message, { cause });
  }
}
