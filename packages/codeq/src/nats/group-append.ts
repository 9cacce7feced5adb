import type { PlatformError } from "@sous/contract";
import { deposed, type LogStream } from "./log-stream.ts";

interface Batch {
  records: string[];
  length: number;
  /** Where in the batch a key's newest state stands: a newer one takes its place. */
  states: Map<number, number>;
  /** Called with the sequence, when the log has it. */
  landed: ((sequence: number) => void)[];
  done: Promise<void>;
  resolve: () => void;
  reject: (error: PlatformError) => void;
}

export interface GroupAppendOptions {
  stream: LogStream;
  /** What the log ends with: this writer's own word that it writes now. */
  lastSequence: number;
  /** Characters of one append, unless one record is larger. */
  lengthMax: number;
  /** Called once, when an append failed or somebody else wrote: nothing more goes in. */
  onLost: (error: PlatformError) => void;
}

/**
 * Writes records in the order they come, one append at a time; what comes meanwhile makes up the next one. Each append
 * names the one before it, so that two writers cannot both go on.
 */
export class GroupAppend {
  readonly #options: GroupAppendOptions;
  readonly #batches: Batch[] = [];
  #lastSequence: number;
  #lost: PlatformError | undefined;
  #sending = false;

  constructor(options: GroupAppendOptions) {
    this.#options = options;
    this.#lastSequence = options.lastSequence;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /**
   * @param key whose newest state it is, where a later one makes it needless
   * @returns settles when the log has it
   */
  add(record: string, key?: number, landed?: (sequence: number) => void): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const batch = this.#open(record.length);
    const at = key === undefined ? undefined : batch.states.get(key);
    if (at === undefined) {
      if (key !== undefined) batch.states.set(key, batch.records.length);
      batch.records.push(record);
      batch.length += record.length;
    } else {
      batch.records[at] = record;
    }
    if (landed !== undefined) batch.landed.push(landed);
    return batch.done;
  }

  /** What is written next of a key must stand behind what was written so far. */
  fix(key: number): void {
    this.#batches.at(-1)?.states.delete(key);
  }

  /** Settles when the log has everything that was added so far. */
  flushed(): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    return this.#batches.at(-1)?.done ?? Promise.resolve();
  }

  /** Takes nothing more. */
  lose(error: PlatformError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    for (const { reject } of this.#batches.splice(0)) reject(error);
    this.#options.onLost(error);
  }

  #open(length: number): Batch {
    const last = this.#batches.at(-1);
    // The first one is on its way while something is being sent.
    const isOpen = last !== undefined && !(this.#sending && this.#batches.length === 1);
    if (isOpen && last.length + length <= this.#options.lengthMax) return last;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Whoever waits for it hears of a failure; often nobody does.
    promise.catch(() => {});
    const batch = { records: [], length: 0, states: new Map(), landed: [], done: promise, resolve, reject };
    this.#batches.push(batch);
    if (this.#batches.length === 1) queueMicrotask(() => void this.#send());
    return batch;
  }

  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    for (let batch = this.#batches[0]; batch !== undefined; batch = this.#batches[0]) {
      try {
        const text = `[${batch.records.join(",")}]`;
        const sequence = await this.#options.stream.append(text, this.#lastSequence);
        if (this.#lost !== undefined) break;
        if (sequence === undefined) throw deposed();
        this.#lastSequence = sequence;
        this.#batches.shift();
        for (const landed of batch.landed) landed(sequence);
        batch.resolve();
      } catch (error) {
        this.lose(error as PlatformError);
      }
    }
    this.#sending = false;
  }
}
