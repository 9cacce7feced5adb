import { Worker } from "node:worker_threads";
import { PlatformError } from "@sous/contract";
import type { BatchReply, BatchValue, Outcome } from "./batch.ts";
import { COMMAND_NAMES, type CommandName, COMMANDS, type Commands } from "../sql/commands/commands.ts";
import type { RefusalData } from "../sql/refusal.ts";
import type { WriteThreadData, WriteThreadReply, WriteThreadRequest } from "./write-thread.ts";

export interface GroupCommitOptions {
  thread: WriteThreadData;
  /** Most commands that may wait for the disk. */
  unwrittenMax: number;
  /** Most bytes of arguments that may wait for the disk. */
  unwrittenBytesMax: number;
  /** How long relaxed commands wait after a commit before they cause another, milliseconds. */
  relaxedPaceMs: number;
}

interface Waiter {
  resolve(answer: unknown): void;
  reject(error: PlatformError): void;
}

interface Committing {
  waiters: readonly Waiter[];
  bytes: number;
}

/** Batches the thread has at a time: while it writes one, this side gathers or answers another. */
const COMMITTING_MAX = 3;
/**
 * Commands that are worth a batch before the turn of the event loop is over. All callers of one batch are answered
 * together and come back together: without this they would all be in the next one, and this side idle until that is
 * written.
 */
const BATCH_WORTH = 16;

const NUMBERS = new Map(COMMAND_NAMES.map((name, number) => [name, number]));

/**
 * The main thread's side of the writer. Commands pile up until the end of the turn of the event loop, or while batches are
 * at the disk; then all of them are posted as one. As soon as they are worth a batch they are posted at the end of
 * the tick, while the thread has few. States:
 *
 *   idle → scheduled, by turn or tick → committing (posted), more meanwhile → idle, when all batches are answered
 *
 * Relaxed commands (`COMMANDS`) alone start a commit at most once every `relaxedPaceMs`: under load this trades
 * a few milliseconds of their latency for an order of magnitude fewer syncs. The first after a quiet moment
 * goes at once, and any other command takes them along.
 */
export class GroupCommit implements AsyncDisposable {
  readonly #options: GroupCommitOptions;
  readonly #worker: Worker;
  #batch: BatchValue[] = [];
  #waiters: Waiter[] = [];
  #transfers: ArrayBuffer[] = [];
  #bytes = 0;
  #urgent = false;
  /** Of what runs now, or of the turn of the event loop: at its end what waits is posted. */
  #scheduled: "tick" | "turn" | undefined;
  /** Batches the thread has, oldest first. */
  readonly #committing: Committing[] = [];
  /** Runs while relaxed commands have to wait; made once and restarted, as it is needed for every batch. */
  #pace: NodeJS.Timeout | undefined;
  #pacing = false;
  #broken: RefusalData | undefined;
  #closing: Promise<void> | undefined;
  #whenDrained: (() => void) | undefined;

  private constructor(options: GroupCommitOptions, worker: Worker) {
    this.#options = options;
    this.#worker = worker;
    worker.on("message", (reply: BatchReply) => this.#settle(reply));
    worker.on("error", (error) => this.#break(`its write thread failed: ${String(error)}`));
    worker.on("exit", () => this.#break("its write thread has ended"));
    worker.unref();
  }

  /** Starts the write thread and waits until it has opened the database. @throws CS_STORE_UNAVAILABLE */
  static async open(options: GroupCommitOptions): Promise<GroupCommit> {
    const worker = new Worker(new URL("./write-thread.ts", import.meta.url), {
      workerData: options.thread,
      name: "store-writer",
      // Flags of the process, as --input-type, are not for this thread and may keep it from starting.
      execArgv: [],
    });
    const { promise, resolve, reject } = Promise.withResolvers<WriteThreadReply>();
    worker.once("message", resolve).once("error", reject);
    const first = await promise
      .finally(() => worker.off("error", reject))
      .catch((cause: unknown) => {
        throw new PlatformError("CS_STORE_UNAVAILABLE", "The store's write thread does not start", { cause });
      });
    if ("notOpened" in first) throw asError(first.notOpened);
    return new GroupCommit(options, worker);
  }

  /**
   * Adds a command to the next batch.
   * @returns its answer, once it is on disk; rejects with a PlatformError. Nobody has to await it, but somebody
   * has to catch it.
   */
  write<Name extends CommandName>(
    name: Name,
    ...args: Parameters<Commands[Name]>
  ): Promise<ReturnType<Commands[Name]>> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#batch.push(NUMBERS.get(name) as number, args.length);
    for (const value of args as BatchValue[]) {
      if (typeof value === "string") this.#bytes += value.length;
      else if (value instanceof Uint8Array) {
        this.#bytes += value.byteLength;
        this.#transfers.push(value.buffer as ArrayBuffer);
      }
      this.#batch.push(value);
    }
    if (COMMANDS[name].relaxed !== true) this.#urgent = true;
    const { promise, resolve, reject } = Promise.withResolvers<ReturnType<Commands[Name]>>();
    this.#waiters.push({ resolve: resolve as Waiter["resolve"], reject });
    this.#schedule();
    return promise;
  }

  /** Writes out what is waiting and ends the thread. Writes from here on are refused. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#broken !== undefined) return;
    if (this.#waiters.length > 0 || this.#committing.length > 0) {
      this.#urgent = true;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#whenDrained = resolve;
      this.#schedule();
      await promise;
    }
    clearTimeout(this.#pace);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#worker.once("exit", () => resolve());
    this.#worker.ref();
    this.#send(null);
    await promise;
  }

  #refusal(): PlatformError | undefined {
    if (this.#broken !== undefined) return asError(this.#broken);
    if (this.#closing !== undefined) {
      return new PlatformError("CS_STORE_UNAVAILABLE", "The store is closed; open it again");
    }
    const { unwrittenMax, unwrittenBytesMax } = this.#options;
    let unwritten = this.#waiters.length;
    let bytes = this.#bytes;
    for (const batch of this.#committing) {
      unwritten += batch.waiters.length;
      bytes += batch.bytes;
    }
    if (unwritten < unwrittenMax && bytes < unwrittenBytesMax) return undefined;
    return new PlatformError(
      "CS_STORE_UNAVAILABLE",
      `The disk does not keep up: ${unwritten} writes (${bytes} bytes) wait; try again`,
      { retryAfterSeconds: 1 },
    );
  }

  /** Makes sure that what waits is posted, never before the tick in which it was issued is over. */
  #schedule(): void {
    if (this.#waiters.length === 0 || this.#scheduled === "tick") return;
    if (this.#urgent && this.#waiters.length >= BATCH_WORTH && this.#committing.length < COMMITTING_MAX) {
      this.#scheduled = "tick";
      afterTick(() => this.#postScheduled());
      return;
    }
    if (this.#scheduled !== undefined || this.#committing.length > 0) return;
    if (this.#pacing && !this.#urgent) return;
    this.#scheduled = "turn";
    setImmediate(() => this.#scheduled === "turn" && this.#postScheduled());
  }

  #postScheduled(): void {
    this.#scheduled = undefined;
    this.#post();
  }

  #post(): void {
    if (this.#broken !== undefined) return;
    const batch = this.#batch;
    const transfers = this.#transfers;
    this.#committing.push({ waiters: this.#waiters, bytes: this.#bytes });
    this.#batch = [];
    this.#waiters = [];
    this.#transfers = [];
    this.#bytes = 0;
    this.#urgent = false;
    this.#startPace();
    // Only a write under way keeps the process alive; an idle store does not.
    this.#worker.ref();
    this.#send(batch, transfers);
  }

  #send(request: WriteThreadRequest, transfers: ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, transfers);
  }

  #startPace(): void {
    this.#pacing = true;
    this.#pace = this.#pace?.refresh() ?? setTimeout(() => this.#endPace(), this.#options.relaxedPaceMs);
  }

  #endPace(): void {
    this.#pacing = false;
    this.#schedule();
  }

  #settle(reply: BatchReply): void {
    const done = this.#committing.shift();
    if (done === undefined) return;
    const isIdle = this.#committing.length === 0;
    if (isIdle) this.#worker.unref();
    // First the next batch to the disk, then the callers: they may take their time.
    if (isIdle && this.#urgent && this.#scheduled === undefined) this.#post();
    else this.#schedule();
    if ("failure" in reply) {
      for (const waiter of done.waiters) waiter.reject(asError(reply.failure));
    } else {
      for (let index = 0; index < done.waiters.length; index++) {
        answer(done.waiters[index] as Waiter, reply.outcomes[index]);
      }
    }
    if (this.#committing.length === 0 && this.#waiters.length === 0) this.#whenDrained?.();
  }

  #break(reason: string): void {
    if (this.#broken !== undefined) return;
    this.#broken = { code: "CS_STORE_UNAVAILABLE", message: `The store is gone: ${reason}; restart` };
    clearTimeout(this.#pace);
    const lost = [...this.#committing.flatMap(({ waiters }) => waiters), ...this.#waiters];
    this.#committing.length = 0;
    this.#waiters = [];
    for (const waiter of lost) waiter.reject(asError(this.#broken));
    this.#whenDrained?.();
  }
}

/** Calls back when the callback that runs now and all that follows from it in microtasks is done. */
function afterTick(callback: () => void): void {
  queueMicrotask(() => process.nextTick(callback));
}

function answer(waiter: Waiter, outcome: Outcome | undefined): void {
  if (typeof outcome === "object" && outcome !== null) waiter.reject(asError(outcome));
  else waiter.resolve(outcome ?? undefined);
}

const asError = ({ code, message }: RefusalData): PlatformError => new PlatformError(code, message);
