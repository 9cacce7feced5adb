import type { DeadFilter, DeadHeading, DeadLetter } from "../codeq.ts";
import type { DeadLetterBounds } from "../dead-letter-bounds.ts";
import { IntrusiveList, type Linked } from "./intrusive-list.ts";
import type { Entry } from "./lanes.ts";

interface DeadEntry<Body> extends Linked<DeadEntry<Body>> {
  entry: Entry<Body>;
  reason: string;
  /** Of the body as text. */
  bytes: number;
  at: number;
}

/** What one tenant has, oldest first. */
class TenantLetters<Body> {
  readonly list = new IntrusiveList<DeadEntry<Body>>();
  count = 0;
  bytes = 0;
}

export interface DeadLettersOptions {
  bounds: DeadLetterBounds;
  /** Non-durable dead letters kept, of all tenants together. */
  volatileMax: number;
}

/** The dead-letter queue of one topic, oldest first. Adding and taking cost the same however many there are. */
export class DeadLetters<Body> {
  readonly #options: DeadLettersOptions;
  readonly #entries = new Map<string, DeadEntry<Body>>();
  readonly #tenants = new Map<string, TenantLetters<Body>>();
  /** Ids of those that are in no journal, oldest first. */
  readonly #volatile = new Set<string>();
  #lastAt = 0;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @returns what had to go to make room, the oldest of the same tenant */
  add(entry: Entry<Body>, reason: string, bytes: number): Entry<Body>[] {
    const { bounds, volatileMax } = this.#options;
    const { id, tenant } = entry.message;
    const dead = { entry, reason, bytes, at: ++this.#lastAt, previous: null, next: null };
    this.#entries.set(id, dead);
    let letters = this.#tenants.get(tenant);
    if (letters === undefined) this.#tenants.set(tenant, (letters = new TenantLetters()));
    letters.list.push(dead);
    letters.count++;
    letters.bytes += bytes;
    const dropped: Entry<Body>[] = [];
    if (!entry.durable && this.#volatile.add(id).size > volatileMax) {
      const [oldest] = this.#volatile;
      if (oldest !== undefined) this.#drop(oldest, dropped);
    }
    while (letters.count > bounds.countMax || letters.bytes > bounds.bytesMax) {
      const { head } = letters.list;
      if (head === null) break;
      this.#drop(head.entry.id, dropped);
    }
    return dropped;
  }

  /** Takes away what has been dead for too long. @returns it, `limit` at most */
  trim(nowMs: number, limit: number): Entry<Body>[] {
    const dropped: Entry<Body>[] = [];
    const endMs = nowMs - this.#options.bounds.ttlMs;
    for (const { entry } of this.#entries.values()) {
      if (entry.message.due_at_ms > endMs || dropped.length === limit) break;
      this.#drop(entry.id, dropped);
    }
    return dropped;
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
    const found: DeadHeading[] = [];
    let dead = this.#tenants.get(tenant)?.list.head ?? null;
    for (; dead !== null && found.length < limit; dead = dead.next) {
      const { entry, reason, at } = dead;
      const { message } = entry;
      if (at <= after || !(whole ? message.lane === lane : message.lane.startsWith(lane))) continue;
      found.push({
        id: message.id,
        lane: message.lane,
        attempt: message.attempt,
        enqueued_at_ms: message.enqueued_at_ms,
        dead_at_ms: message.due_at_ms,
        reason,
        at,
      });
    }
    return found;
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
    if (dead === undefined) return undefined;
    this.#entries.delete(id);
    this.#volatile.delete(id);
    const { tenant } = dead.entry.message;
    const letters = this.#tenants.get(tenant);
    if (letters === undefined) return dead;
    letters.list.remove(dead);
    letters.count--;
    letters.bytes -= dead.bytes;
    if (letters.count === 0) this.#tenants.delete(tenant);
    return dead;
  }

  #drop(id: string, dropped: Entry<Body>[]): void {
    const dead = this.take(id);
    if (dead !== undefined) dropped.push(dead.entry);
  }
}
