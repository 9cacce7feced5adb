import type { DeadFilter, DeadHeading, DeadLetter } from "../codeq.ts";
import type { Entry } from "./lanes.ts";

interface DeadEntry<Body> {
  entry: Entry<Body>;
  reason: string;
  at: number;
}

/** The dead-letter queue of one topic, oldest first. */
export class DeadLetters<Body> {
  readonly #entries = new Map<string, DeadEntry<Body>>();
  /** Ids of those that are in no journal, oldest first. */
  readonly #volatile = new Set<string>();
  readonly #volatileMax: number;
  #lastAt = 0;

  /** @param volatileMax how many non-durable dead letters are kept */
  constructor(volatileMax: number) {
    this.#volatileMax = volatileMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @returns the entry that had to go to make room, if any */
  add(entry: Entry<Body>, reason: string): Entry<Body> | undefined {
    this.#entries.set(entry.message.id, { entry, reason, at: ++this.#lastAt });
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

  page({ tenant, lane }: DeadFilter, after: number, limit: number): DeadHeading[] {
    const whole = !lane.endsWith("/");
    return this.#entries
      .values()
      .filter(({ entry: { message }, at }) => {
        if (at <= after || message.tenant !== tenant) return false;
        return whole ? message.lane === lane : message.lane.startsWith(lane);
      })
      .take(limit)
      .map(({ entry: { message }, reason, at }) => ({
        id: message.id,
        lane: message.lane,
        attempt: message.attempt,
        enqueued_at_ms: message.enqueued_at_ms,
        dead_at_ms: message.due_at_ms,
        reason,
        at,
      }))
      .toArray();
  }

  /** @returns the tenant's dead letter with this id */
  find(tenant: string, id: string): DeadEntry<Body> | undefined {
    const dead = this.#entries.get(id);
    return dead?.entry.message.tenant === tenant ? dead : undefined;
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
