import { setTimeout as sleep } from "node:timers/promises";
import { PlatformError } from "@sous/contract";
import type { Msg, NatsConnection, NodeConnectionOptions, Subscription } from "@nats-io/transport-node";
import type { NatsTarget } from "./nats-url.ts";

const CONNECT_TIMEOUT_MS = 3000;
const FLUSH_TIMEOUT_MS = 2000;
const PING_MS = 1000;
/** Pings without an answer after which a server is taken for gone. */
const PINGS_OUT_MAX = 2;
const BACKOFF_FIRST_MS = 50;
const BACKOFF_MAX_MS = 2000;
/** The largest frame may be as large as this where the server allows it. */
const HEADROOM_BYTES = 4096;

export interface NatsLinkOptions {
  target: NatsTarget;
  random: () => number;
  /** Hears of the beginning of each outage, once. */
  report: (error: PlatformError) => void;
}

/**
 * One connection that comes back by itself. While it is down everything is refused at once: what waits for a server is
 * the caller's to decide.
 */
export class NatsLink implements AsyncDisposable {
  readonly #connection: NatsConnection;
  readonly #options: NatsLinkOptions;
  readonly #onUp = new Set<() => void>();
  readonly #onDown = new Set<() => void>();
  #up = true;
  #closed = false;

  private constructor(connection: NatsConnection, options: NatsLinkOptions) {
    this.#connection = connection;
    this.#options = options;
    void this.#watch();
  }

  /** @throws CS_CODEQ_PUBLISH_FAILED when the server cannot be reached or refuses */
  static async open(options: NatsLinkOptions): Promise<NatsLink> {
    const { connect } = await importClient();
    try {
      return new NatsLink(await connect(clientOptions(options)), options);
    } catch (cause) {
      throw failure(options.target, cause);
    }
  }

  /** The client's connection, for JetStream. */
  get connection(): NatsConnection {
    return this.#connection;
  }

  get isUp(): boolean {
    return this.#up && !this.#closed;
  }

  /** Bytes one message may carry, as the server says, less room for what stands around it. */
  get payloadBytesMax(): number {
    return (this.#connection.info?.max_payload ?? 1024 * 1024) - HEADROOM_BYTES;
  }

  /** @throws CS_CODEQ_PUBLISH_FAILED while the connection is down */
  publish(subject: string, text: string, reply?: string): void {
    if (!this.isUp) throw this.failure(undefined);
    try {
      this.#connection.publish(subject, text, reply === undefined ? undefined : { reply });
    } catch (cause) {
      throw this.failure(cause);
    }
  }

  /** Asks and waits for one answer. @throws what the client says, or CS_CODEQ_PUBLISH_FAILED while the connection is down */
  async request(subject: string, text: string, timeoutMs: number): Promise<string> {
    if (!this.isUp) throw this.failure(undefined);
    return (await this.#connection.request(subject, text, { timeout: timeoutMs })).string();
  }

  /** @returns a function that ends the subscription: what is on its way to this process is not heard any more */
  subscribe(subject: string, listener: (message: Msg) => void): () => void {
    const subscription = this.#subscribe(subject, listener);
    return () => this.#unsubscribe(subscription);
  }

  /**
   * @returns a function that ends the subscription and settles when nothing more comes: whatever the server had passed on
   * was heard, and to whoever sends more it says that nobody is there
   */
  subscribeUntilDrained(subject: string, listener: (message: Msg) => void): () => Promise<void> {
    const subscription = this.#subscribe(subject, listener);
    return async () => {
      if (!this.isUp) this.#unsubscribe(subscription);
      else if (!subscription.isClosed()) await inTime(subscription.drain());
    };
  }

  /** Calls back whenever the connection stands again. */
  onUp(listener: () => void): void {
    this.#onUp.add(listener);
  }

  /** Calls back whenever the connection is lost. */
  onDown(listener: () => void): void {
    this.#onDown.add(listener);
  }

  /** Settles when the server has everything that was published, or cannot have it. */
  async flush(): Promise<void> {
    if (this.isUp) await inTime(this.#connection.flush());
  }

  failure(cause: unknown): PlatformError {
    return failure(this.#options.target, cause);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#onUp.clear();
    this.#onDown.clear();
    await this.#connection.close();
  }

  #subscribe(subject: string, listener: (message: Msg) => void): Subscription {
    return this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) return;
        try {
          listener(message);
        } catch (cause) {
          const text = `what came on ${subject} cannot be read; nobody but this platform may use the prefix`;
          this.#options.report(new PlatformError("CS_INTERNAL", text, { cause }));
        }
      },
    });
  }

  #unsubscribe(subscription: Subscription): void {
    if (!this.#closed && !subscription.isClosed()) subscription.unsubscribe();
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (this.#closed) return;
      if (type === "disconnect" && this.#up) {
        this.#up = false;
        this.#options.report(this.failure(undefined));
        for (const listener of this.#onDown) listener();
      } else if (type === "reconnect") {
        this.#up = true;
        for (const listener of this.#onUp) listener();
      }
    }
  }
}

/** Settles with `done`, whichever way, or when the server has let it wait too long. */
async function inTime(done: Promise<void>): Promise<void> {
  const timeout = sleep(FLUSH_TIMEOUT_MS, undefined, { ref: false });
  await Promise.race([done.catch(() => {}), timeout]);
}

function clientOptions({ target, random }: NatsLinkOptions): NodeConnectionOptions {
  const { host, port, user, password, tls } = target;
  return {
    servers: `${host}:${port}`,
    name: "sous codeq",
    timeout: CONNECT_TIMEOUT_MS,
    pingInterval: PING_MS,
    maxPingOut: PINGS_OUT_MAX,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: backoff(random),
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    // Else a name stands for the addresses it had at the start.
    resolve: false,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { pass: password }),
    ...(tls ? { tls: {} } : {}),
  };
}

/** Growing, scattered pauses, small again after a while without any. */
function backoff(random: () => number): () => number {
  let pauseMs = BACKOFF_FIRST_MS;
  let askedAtMs = 0;
  return () => {
    const nowMs = performance.now();
    pauseMs =
      nowMs - askedAtMs > 2 * BACKOFF_MAX_MS ? BACKOFF_FIRST_MS : Math.min(2 * pauseMs, BACKOFF_MAX_MS);
    askedAtMs = nowMs;
    return Math.ceil(pauseMs * (0.5 + random() / 2));
  };
}

async function importClient() {
  try {
    return await import("@nats-io/transport-node");
  } catch (cause) {
    const message = "nats: needs the packages @nats-io/transport-node and @nats-io/jetstream; install them";
    throw new PlatformError("CS_CODEQ_PUBLISH_FAILED", message, { cause });
  }
}

function failure({ host, port }: NatsTarget, cause: unknown): PlatformError {
  const why = cause instanceof Error ? `: ${cause.message}` : "";
  const message = `the queue's server ${host}:${port} does not do its work${why}; look at it, then try again`;
  return new PlatformError("CS_CODEQ_PUBLISH_FAILED", message, { cause });
}
