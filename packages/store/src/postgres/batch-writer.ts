import { PlatformError } from "@sous/contract";
import { type CommandName, COMMANDS, type Commands, type CommandSteps } from "../sql/commands/commands.ts";
import type { SqlWriter } from "../sql/stores/access.ts";
import { type Batch, type Outcome, runBatch } from "./run-batch.ts";
import { closedStore, unavailable } from "./store-errors.ts";
import { isAnswer } from "./engine-failure.ts";
import type { Command } from "./locks.ts";
import { WriterLink, type WriterLinkOptions } from "./writer-link.ts";

export interface BatchWriterOptions {
  link: WriterLinkOptions;
  commands: CommandSteps;
  /** Most commands that may wait for the server. */
  unwrittenMax: number;
  /** Most bytes of arguments that may wait for the server. */
  unwrittenBytesMax: number;
  /** How long relaxed commands wait after a commit before they cause another, milliseconds. */
  relaxedPaceMs: number;
}

interface Waiter {
  resolve(answer: unknown): void;
  reject(error: PlatformError): void;
}

/** Commands that wait together, with those who wait for them. */
interface Waiting {
  commands: Command[];
  waiters: Waiter[];
  bytes: number;
  /** Whether somebody waits for one of them. */
  isUrgent: boolean;
}

const nothing = (): Waiting => ({ commands: [], waiters: [], bytes: 0, isUrgent: false });

/**
 * Commits commands in batches over one connection. Commands pile up while a batch is under way, or until the end of
 * the tick when none is; then all of them are one transaction. States:
 *
 *   idle → scheduled (a command came) → committing → idle | committing (more came meanwhile)
 *
 * Relaxed commands alone start a commit at most once every `relaxedPaceMs`, as in the store on SQLite.
 * A connection that breaks is made anew for the next batch; what waits while none can be made is refused at once.
 */
export class BatchWriter implements SqlWriter, AsyncDisposable {
  readonly #options: BatchWriterOptions;
  #link: WriterLink;
  #waiting = nothing();
  #committing: Waiting | undefined;
  #isScheduled = false;
  #pace: NodeJS.Timeout | undefined;
  #isPacing = false;
  #batches = 0;
  #closing: Promise<void> | undefined;
  #whenDrained: (() => void) | undefined;

  private constructor(options: BatchWriterOptions, link: WriterLink) {
    this.#options = options;
    this.#link = link;
    link.keepAlive(false);
  }

  /** Connects. @throws CS_STORE_UNAVAILABLE, CS_CONFLICT when another process is the sole writer */
  static async open(options: BatchWriterOptions): Promise<BatchWriter> {
    return new BatchWriter(options, await WriterLink.open(options.link));
  }

  write<Name extends CommandName>(
    name: Name,
    ...args: Parameters<Commands[Name]>
  ): Promise<ReturnType<Commands[Name]>> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    const { promise, resolve, reject } = Promise.withResolvers<ReturnType<Commands[Name]>>();
    const waiting = this.#waiting;
    waiting.commands.push({ name, args });
    waiting.waiters.push({ resolve: resolve as Waiter["resolve"], reject });
    for (const value of args as readonly unknown[]) {
      if (typeof value === "string") waiting.bytes += value.length;
      else if (value instanceof Uint8Array) waiting.bytes += value.byteLength;
    }
    if (COMMANDS[name].relaxed !== true) waiting.isUrgent = true;
    this.#schedule();
    return promise;
  }

  /** Writes out what is waiting and ends the connection. Writes from here on are refused. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#waiting.waiters.length > 0 || this.#committing !== undefined) {
      this.#waiting.isUrgent = true;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#whenDrained = resolve;
      this.#schedule();
      await promise;
    }
    clearTimeout(this.#pace);
    this.#link.keepAlive(true);
    await this.#link.close();
  }

  #refusal(): PlatformError | undefined {
    if (this.#closing !== undefined) return closedStore();
    const { unwrittenMax, unwrittenBytesMax } = this.#options;
    const unwritten = this.#waiting.waiters.length + (this.#committing?.waiters.length ?? 0);
    const bytes = this.#waiting.bytes + (this.#committing?.bytes ?? 0);
    if (unwritten < unwrittenMax && bytes < unwrittenBytesMax) return undefined;
    return new PlatformError(
      "CS_STORE_UNAVAILABLE",
      `The database does not keep up: ${unwritten} writes (${bytes} bytes) wait; try again`,
      { retryAfterSeconds: 1 },
    );
  }

  /** Makes sure that what waits is sent, never before the tick in which it was issued is over. */
  #schedule(): void {
    if (this.#isScheduled || this.#committing !== undefined || this.#waiting.waiters.length === 0) return;
    if (this.#isPacing && !this.#waiting.isUrgent) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#send();
    });
  }

  async #send(): Promise<void> {
    const group = this.#waiting;
    this.#committing = group;
    this.#waiting = nothing();
    this.#startPace();
    this.#link.keepAlive(true);
    const settle = await this.#commit({ number: ++this.#batches, commands: group.commands });
    this.#committing = undefined;
    this.#link.keepAlive(false);
    // First the next batch on its way, then the callers: they may take their time.
    if (this.#waiting.isUrgent && !this.#isScheduled) void this.#send();
    else this.#schedule();
    settle(group.waiters);
    if (this.#committing === undefined && this.#waiting.waiters.length === 0) this.#whenDrained?.();
  }

  /** Never throws. @returns what to tell those who wait */
  async #commit(batch: Batch): Promise<(waiters: readonly Waiter[]) => void> {
    const outcomes = await this.#run(batch);
    if (outcomes instanceof PlatformError) return refuseAll(outcomes);
    try {
      await this.#link.control("commit");
      return answerAll(outcomes);
    } catch (error) {
      if (isAnswer(error) && !this.#link.isBroken) return refuseAll(unavailable("takes no writes", error));
      return (await this.#wasCommitted(batch, error)) ?? answerAll(outcomes);
    }
  }

  /** Runs a batch up to its commit, over a new connection where the last one is gone. */
  async #run(batch: Batch): Promise<Outcome[] | PlatformError> {
    try {
      if (this.#link.isBroken) await this.#reconnect();
    } catch (cause) {
      const refusal = unavailable("takes no writes", cause);
      this.#refuseWaiting(refusal);
      return refusal;
    }
    try {
      return await runBatch(this.#link, this.#options.commands, batch);
    } catch (cause) {
      // Before its commit a transaction is nothing, whether the server hears of its end or not.
      if (!this.#link.isBroken) await this.#link.control("rollback").catch(() => this.#link.close());
      return unavailable("takes no writes", cause);
    }
  }

  async #reconnect(): Promise<void> {
    const before = this.#link;
    this.#link = await WriterLink.open(this.#options.link, before);
    void before.close();
  }

  /**
   * The answer to a commit was lost: the row of this writer tells whether it happened.
   * @returns `undefined` when it did, else what to tell those who wait
   */
  async #wasCommitted(
    batch: Batch,
    lost: unknown,
  ): Promise<((waiters: readonly Waiter[]) => void) | undefined> {
    try {
      await this.#link.close();
      await this.#reconnect();
      if ((await this.#link.lastBatch()) >= batch.number) return undefined;
      return refuseAll(unavailable("lost the connection before it wrote", lost));
    } catch (cause) {
      this.#refuseWaiting(unavailable("takes no writes", cause));
      const message =
        "The connection to the database broke while it wrote, and it cannot be asked: " +
        "the write may have happened or not; read before you write again";
      const details = { outcome: "unknown" };
      return refuseAll(new PlatformError("CS_STORE_UNAVAILABLE", message, { cause, details }));
    }
  }

  /** While no connection can be made, those who came meanwhile need not find out one by one. */
  #refuseWaiting(error: PlatformError): void {
    const { waiters } = this.#waiting;
    this.#waiting = nothing();
    refuseAll(error)(waiters);
  }

  #startPace(): void {
    this.#isPacing = true;
    this.#pace = this.#pace?.refresh() ?? setTimeout(() => this.#endPace(), this.#options.relaxedPaceMs);
  }

  #endPace(): void {
    this.#isPacing = false;
    this.#schedule();
  }
}

const refuseAll = (error: PlatformError) => (waiters: readonly Waiter[]) => {
  for (const waiter of waiters) waiter.reject(error);
};

const answerAll = (outcomes: readonly Outcome[]) => (waiters: readonly Waiter[]) => {
  for (const [index, waiter] of waiters.entries()) {
    const outcome = outcomes[index];
    if (typeof outcome === "object" && outcome !== null) {
      waiter.reject(new PlatformError(outcome.code, outcome.message));
    } else waiter.resolve(outcome ?? undefined);
  }
};
