import type { SourceMessage } from "./adapter.ts";

/** A message that was read and has not ended. */
export interface Held {
  readonly message: SourceMessage;
  /** Its place among those of its partition. */
  readonly place: number;
  readonly key: string | undefined;
  readonly bytes: number;
  readonly readAtMs: number;
  /** The attempt that its next call is. */
  attempt: number;
  /**
   * Calls of this process before the next one, and one. It is what ids are made of: where a source gives a message
   * again, the calls of before are found again, one by one.
   */
  tries: number;
  /** Runs in a call of its own: it was found to be bad. */
  alone: boolean;
  /** Not run before. */
  dueAtMs: number;
}

export interface BatchBounds {
  size: number;
  bytes: number;
  /** How long the first message waits for a full batch, milliseconds. */
  windowMs: number;
  /** Attempts after which a message is given up; 0 for never. */
  attemptsMax: number;
}

/** What can be run now, or when to ask again: `Infinity` for when something changes. */
export type Taken = { batch: Held[] } | { askAtMs: number };

/**
 * Messages that wait to be run, in the order they were read. Of those with one key only the first may be taken, and
 * none while another of the key is out: order is kept whatever fails.
 */
export class MessageBuffer {
  readonly #bounds: BatchBounds;
  readonly #busy = new Map<string, number>();
  #waiting: Held[] = [];
  #out = 0;

  constructor(bounds: BatchBounds) {
    this.#bounds = bounds;
  }

  get waiting(): readonly Held[] {
    return this.#waiting;
  }

  /** Messages that are waiting or out. */
  get size(): number {
    return this.#waiting.length + this.#out;
  }

  add(held: Held): void {
    this.#waiting.push(held);
  }

  /** Puts messages back that were taken, to be run again. */
  putBack(messages: readonly Held[]): void {
    this.end(messages);
    this.#waiting = [...this.#waiting, ...messages].sort((a, b) => a.place - b.place);
  }

  /** Forgets messages that were taken. */
  end(messages: readonly Held[]): void {
    this.#out -= messages.length;
    for (const { key } of messages) {
      if (key === undefined) continue;
      const others = (this.#busy.get(key) ?? 1) - 1;
      if (others === 0) this.#busy.delete(key);
      else this.#busy.set(key, others);
    }
  }

  /** Forgets waiting messages. @returns them */
  remove(which: (held: Held) => boolean): Held[] {
    const removed = this.#waiting.filter(which);
    if (removed.length > 0) this.#waiting = this.#waiting.filter((held) => !which(held));
    return removed;
  }

  /** Takes the next batch, when it is full, old enough, or nothing more can come. */
  take(nowMs: number, noMore: boolean): Taken {
    const { batch, bytes, askAtMs } = this.#next(nowMs);
    const [first] = batch;
    if (first === undefined) return { askAtMs };
    const { size, windowMs } = this.#bounds;
    const readyAtMs = first.readAtMs + windowMs;
    const isFull = batch.length >= size || bytes >= this.#bounds.bytes || first.alone || first.attempt > 1;
    if (!isFull && !noMore && nowMs < readyAtMs) return { askAtMs: Math.min(askAtMs, readyAtMs) };
    const taken = new Set(batch);
    this.#waiting = this.#waiting.filter((held) => !taken.has(held));
    this.#out += batch.length;
    for (const { key } of batch) if (key !== undefined) this.#busy.set(key, (this.#busy.get(key) ?? 0) + 1);
    return { batch };
  }

  #next(nowMs: number): { batch: Held[]; bytes: number; askAtMs: number } {
    const batch: Held[] = [];
    const blocked = new Set<string>();
    let bytes = 0;
    let askAtMs = Infinity;
    for (const held of this.#waiting) {
      const { key, dueAtMs } = held;
      if (key !== undefined && (blocked.has(key) || this.#busy.has(key))) continue;
      const isDue = dueAtMs <= nowMs;
      if (!isDue) askAtMs = Math.min(askAtMs, dueAtMs);
      if (!isDue || (batch.length > 0 && !this.#goesWith(batch, bytes, held))) {
        if (key !== undefined) blocked.add(key);
        continue;
      }
      batch.push(held);
      bytes += held.bytes;
      if (held.alone || batch.length >= this.#bounds.size) break;
    }
    return { batch, bytes, askAtMs };
  }

  /** Those of a last attempt are a batch of their own: what becomes of it becomes of all of them. */
  #goesWith(batch: readonly Held[], bytes: number, held: Held): boolean {
    const [first] = batch as [Held];
    return (
      !held.alone && bytes + held.bytes <= this.#bounds.bytes && this.isLast(first) === this.isLast(held)
    );
  }

  /** Whether a message is given up when its next call fails. */
  isLast({ attempt }: Held): boolean {
    const { attemptsMax } = this.#bounds;
    return attemptsMax > 0 && attempt >= attemptsMax;
  }
}
