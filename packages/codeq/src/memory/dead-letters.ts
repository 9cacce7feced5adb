import type { DeadLetter } from "../codeq.ts";
import type { Entry } from "./lanes.ts";

interface DeadEntry<Body> {
  entry: Entry<Body>;
  reason: string;
}

/** The dead-letter queue of one topic, oldest first. */
export class DeadLetters<Body> {
  readonly #entries = new Map<string, DeadEntry<Body>>();
  /** Ids of those that are in no journal, oldest first. */
  readonly #volatile = new Set<string>();
  readonly #volatileMax: number;

  /** @param volatileMax how many non-durable dead letters are kept */
  constructor(volatileMax: number) {
    this.#volatileMax = volatileMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @returns the entry that had to go to make room, if any */
  add(entry: Entry<Body>, reason: string): Entry<Body> | undefined {
    this.#entries.set(entry.message.id, { entry, reason });
    if (entry.durable) return undefined;
    this.#volatile.add(entry.message.id);
    if (this.#volatile.size <= this.#volatileMax) return undefined;
    const [oldest] = this.#volatile;
    return oldest === undefined ? undefined : this.take(oldest)?.entry;
  }

  list(limit: number): DeadLetter<Body>[] {
    return this.#entries
      .values()
      .take(limit)
      .map(({ entry, reason }) => ({ message: entry.message, reason }))
      .toArray();
  }

  ids(): string[] {
    return [...this.#entries.keys()];
  }

  take(id: string): DeadEntry<Body> | undefined {
    const dead = this.#entries.get(id);
    this.#entries.delete(id);
    this.#volatile.delete(id);
    return dead;
  }
}
