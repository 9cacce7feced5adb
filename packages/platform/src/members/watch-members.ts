import type { PageRequest, ResourceStore, StoredResource } from "@sous/store";
import { MEMBER_KIND, MEMBERS_MAX } from "./member-record.ts";
import type { Membership } from "./membership.ts";
import { MemberTable } from "./member-table.ts";

/** Heartbeats a member may miss before it is late, and before it counts as gone. */
const LATE_BEATS = 3;
const LOST_BEATS = 6;
/** Readings are further apart in a large cluster: this much for each member, milliseconds. */
const SPACING_MS = 10;
const PAGE_SIZE = 500;

export interface MemberWatchOptions {
  resources: Pick<ResourceStore, "all">;
  /** Pause between two heartbeats of a member, milliseconds; as long as between two readings. */
  heartbeatMs: number;
  /** Epoch milliseconds. */
  now: () => number;
  /** From 0 to 1: spreads the readings of many processes. */
  random: () => number;
  /** Whether this process could write its own heartbeat lately; time in which it could not makes nobody old (always). */
  canBeat?: (() => boolean) | undefined;
  /** Hears of the beginning of each outage. */
  onFault: (error: unknown) => void;
}

/** Keeps the membership as it was last seen. */
export interface MemberWatch extends AsyncDisposable {
  current(): Membership;
  /** How many members have a record that this release cannot read. */
  unreadable(): number;
  /** Calls a listener after each change, until the function it returns is called. */
  onChange(listener: (membership: Membership) => void): () => void;
  /** Reads it now. @returns whether the store could be read */
  look(): Promise<boolean>;
}

/**
 * Reads the membership again and again. While nothing can be read it stays as it was last seen, and nobody grows older,
 * nor while the store is read but takes no heartbeats: who decides by it goes on (static stability).
 */
export function createMemberWatch(options: MemberWatchOptions): MemberWatch {
  const { resources, heartbeatMs, now, random, canBeat, onFault } = options;
  const table = new MemberTable({
    lateMs: LATE_BEATS * heartbeatMs,
    lostMs: LOST_BEATS * heartbeatMs,
    gapMs: 2 * heartbeatMs,
  });
  const listeners = new Set<(membership: Membership) => void>();
  let reading: Promise<boolean> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failing = false;
  let closed = false;

  async function read(): Promise<boolean> {
    try {
      const found = await readAll(resources);
      failing = false;
      if (!table.absorb(found, now(), canBeat?.())) return true;
    } catch (error) {
      if (!failing && !closed) onFault(error);
      failing = true;
      return false;
    }
    for (const listener of listeners) tell(listener);
    return true;
  }

  function tell(listener: (membership: Membership) => void): void {
    try {
      listener(table.membership);
    } catch (error) {
      onFault(error);
    }
  }

  function look(): Promise<boolean> {
    reading ??= read().finally(() => (reading = undefined));
    return reading;
  }

  function again(): void {
    if (closed) return;
    const pauseMs = Math.max(heartbeatMs, SPACING_MS * table.membership.members.length);
    timer = setTimeout(() => void look().then(again), pauseMs * (0.8 + 0.4 * random()));
    timer.unref();
  }

  again();
  return {
    current: () => table.membership,
    unreadable: () => table.unreadable,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    look,
    async [Symbol.asyncDispose]() {
      closed = true;
      clearTimeout(timer);
      listeners.clear();
      await reading;
    },
  };
}

async function readAll(resources: Pick<ResourceStore, "all">): Promise<StoredResource[]> {
  const found: StoredResource[] = [];
  let page: PageRequest = { limit: PAGE_SIZE };
  while (found.length < MEMBERS_MAX) {
    const { items, next_cursor } = await resources.all(MEMBER_KIND, page);
    found.push(...items);
    if (next_cursor === null) break;
    page = { limit: PAGE_SIZE, cursor: next_cursor };
  }
  return found;
}
