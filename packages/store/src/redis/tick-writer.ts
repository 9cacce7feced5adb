import { PlatformError } from "@sous/contract";
import { isReply, type RedisLink, type RedisValue, type Script } from "../redis-link/index.ts";
import { asFailure, outage, refusalOf, scriptRefusal } from "./failure.ts";

/** One write: a function of the script with the keys it touches and its arguments. */
export interface Write {
  name: string;
  keys: readonly string[];
  args: readonly RedisValue[];
}

/** What a write replies when it was carried out. */
export type WriteReply = number | readonly (number | string)[];

interface Waiting {
  write: Write;
  bytes: number;
  resolve: (reply: WriteReply) => void;
  reject: (error: unknown) => void;
}

export interface TickWriterOptions {
  link: RedisLink;
  script: Script;
  /** Most writes that may wait. */
  unwrittenMax: number;
  /** Most bytes of arguments that may wait. */
  unwrittenBytesMax: number;
}

/** Ticks go together until they hold so many writes or bytes. */
const BATCH_WRITES = 512;
/** A tick with more writes goes in several calls: a script keeps everybody else out of the server while it runs. */
const TICK_WRITES = 1024;
const BATCH_BYTES = 4 * 1024 * 1024;

/**
 * Writes what is issued in one tick with one call of one script, and what is issued while a call is on its way with the
 * next: in order, a tick of up to a thousand writes never in two parts. Nothing is sent twice, but a script the server does not know. States:
 *
 *   idle → scheduled (a write came) → sending → idle | sending (ticks that ended meanwhile)
 */
export class TickWriter {
  readonly #options: TickWriterOptions;
  #tick: Waiting[] = [];
  #ticks: Waiting[][] = [];
  #unwritten = 0;
  #bytes = 0;
  #sending = false;
  #closed = false;
  #whenDrained: (() => void) | undefined;

  constructor(options: TickWriterOptions) {
    this.#options = options;
  }

  /** @throws CS_STORE_UNAVAILABLE, CS_STORE_WRITE_FAILED, or what the write itself was refused with */
  write(name: string, keys: readonly string[], args: readonly RedisValue[]): Promise<WriteReply> {
    if (this.#closed) return Promise.reject(outage("The store is closed; open it again"));
    const { unwrittenMax, unwrittenBytesMax } = this.#options;
    if (this.#unwritten >= unwrittenMax || this.#bytes >= unwrittenBytesMax) {
      const message = `The server does not keep up: ${this.#unwritten} writes (${this.#bytes} bytes) wait; try again`;
      return Promise.reject(new PlatformError("CS_STORE_UNAVAILABLE", message, { retryAfterSeconds: 1 }));
    }
    const bytes = bytesOf(args);
    this.#unwritten++;
    this.#bytes += bytes;
    const { promise, resolve, reject } = Promise.withResolvers<WriteReply>();
    if (this.#tick.push({ write: { name, keys, args }, bytes, resolve, reject }) === 1) {
      setImmediate(() => {
        for (let at = 0; at < this.#tick.length; at += TICK_WRITES) {
          this.#ticks.push(this.#tick.slice(at, at + TICK_WRITES));
        }
        this.#tick = [];
        this.#pump();
      });
    }
    return promise;
  }

  /** Takes no more; settles when everything was answered. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#unwritten === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenDrained = resolve;
    await promise;
  }

  #pump(): void {
    if (this.#sending || this.#ticks.length === 0) return;
    this.#sending = true;
    void this.#send(this.#next());
  }

  #next(): Waiting[] {
    let [count, writes, bytes] = [0, 0, 0];
    for (const tick of this.#ticks) {
      writes += tick.length;
      for (const waiting of tick) bytes += waiting.bytes;
      if (count > 0 && (writes > BATCH_WRITES || bytes > BATCH_BYTES)) break;
      count++;
    }
    return this.#ticks.splice(0, count).flat();
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    const wasUp = this.#options.link.isUp;
    try {
      const replies = await this.#run(batch);
      for (const [at, waiting] of batch.entries()) answer(waiting, replies[at]);
    } catch (error) {
      const failure = wasUp ? lostAnswer(error) : error;
      for (const { reject } of batch) reject(asFailure(failure, "CS_STORE_WRITE_FAILED"));
    }
    this.#sending = false;
    this.#unwritten -= batch.length;
    for (const { bytes } of batch) this.#bytes -= bytes;
    this.#pump();
    if (this.#unwritten === 0) this.#whenDrained?.();
  }

  async #run(batch: readonly Waiting[]): Promise<unknown[]> {
    const keys = batch.flatMap(({ write }) => write.keys);
    const args: RedisValue[] = [];
    for (const { write } of batch) {
      args.push(write.name, write.keys.length, write.args.length);
      for (const arg of write.args) args.push(arg);
    }
    const { sha1, source } = this.#options.script;
    const known = await this.#transact("EVALSHA", sha1, keys, args);
    if (!(known instanceof Error)) return known;
    if (!known.message.startsWith("NOSCRIPT")) throw refused(known);
    const reply = await this.#transact("EVAL", source, keys, args);
    if (reply instanceof Error) throw refused(reply);
    return reply;
  }

  /**
   * A script is a transaction already where it runs in memory; KVRocks writes what is in MULTI to its disk as one.
   * @returns the replies, or the error the script ended with
   */
  async #transact(
    command: "EVAL" | "EVALSHA",
    script: string,
    keys: readonly string[],
    args: readonly RedisValue[],
  ): Promise<unknown[] | Error> {
    const { link } = this.#options;
    const [begun, queued, done] = await Promise.allSettled([
      link.send("MULTI"),
      command === "EVAL"
        ? link.send("EVAL", script, keys.length, keys, args)
        : link.send("EVALSHA", script, keys.length, keys, args),
      link.send("EXEC"),
    ]);
    for (const { reason } of [begun, queued, done].filter((result) => result.status === "rejected")) {
      throw reason;
    }
    const [reply] = (done as PromiseFulfilledResult<[unknown[] | Error]>).value;
    return reply;
  }
}

function answer({ resolve, reject }: Waiting, reply: unknown): void {
  if (typeof reply === "string") reject(scriptRefusal(reply));
  else resolve(reply as WriteReply);
}

const refused = (cause: Error): PlatformError =>
  refusalOf(cause, "CS_STORE_WRITE_FAILED") ??
  outage(`The store's server takes no writes: ${cause.message}; look at it, then try again`, cause);

/** @returns the error, or where the connection broke under a write one that says that nobody knows what became of it */
function lostAnswer(error: unknown): unknown {
  if (!(error instanceof PlatformError) || error.code !== "CS_STORE_UNAVAILABLE" || isAnswered(error)) {
    return error;
  }
  const message = `${error.message}; the write may have happened or not: read before you write again`;
  return new PlatformError("CS_STORE_UNAVAILABLE", message, {
    cause: error.cause,
    details: { outcome: "unknown" },
  });
}

const isAnswered = (error: PlatformError): boolean =>
  isReply(error) || (error.cause instanceof PlatformError && isReply(error.cause));

function bytesOf(args: readonly RedisValue[]): number {
  let bytes = 0;
  for (const arg of args) bytes += typeof arg === "number" ? 8 : arg.length;
  return bytes;
}
