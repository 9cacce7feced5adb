import type { StoredResource } from "@sous/store";
import { type MemberRecord, MEMBERS_MAX, readMember, unpackDigests } from "./member-record.ts";
import { type Member, type Membership, type MemberState, NO_MEMBERS } from "./membership.ts";

/** How old a member seen for the first time may be by its own clock: older than that makes no difference. */
const AGE_MAX_MS = 3_600_000;

export interface MemberTableOptions {
  /** A member not heard of for so long is late, milliseconds. */
  lateMs: number;
  /** A member not heard of for so long counts as gone, milliseconds. */
  lostMs: number;
  /** Most time that passes for members between two readings, milliseconds. */
  gapMs: number;
}

/** A member's record as it was read, and when by the table's time. */
interface Entry {
  generation: number;
  /** `undefined` for a record this release cannot read. */
  record: MemberRecord | undefined;
  warm: ReadonlySet<number>;
  cached: ReadonlySet<number>;
  heardAt: number;
  seenMs: number;
}

const EMPTY: ReadonlySet<number> = new Set();

/**
 * Makes a membership of what is read from the store. A member's age is told by when its record changed, not by
 * anybody's clock, and only time in which the store could be read and written counts: in an outage, or while the store
 * takes no writes, nobody grows old because nobody could write.
 */
export class MemberTable {
  readonly #options: MemberTableOptions;
  readonly #entries = new Map<string, Entry>();
  /** Milliseconds of time in which the store could be read and written. */
  #time = 0;
  #membership: Membership = NO_MEMBERS;

  constructor(options: MemberTableOptions) {
    this.#options = options;
  }

  get membership(): Membership {
    return this.#membership;
  }

  /** How many records this release cannot read. */
  get unreadable(): number {
    let count = 0;
    for (const { record } of this.#entries.values()) if (record === undefined) count++;
    return count;
  }

  /**
   * Takes in all records there are.
   * @param canBeat whether members could write their records since the last reading: else nobody has grown older
   * @returns whether somebody came, went, changed its state or said something new
   */
  absorb(resources: readonly StoredResource[], nowMs: number, canBeat = true): boolean {
    const { readMs, revision, members: before } = this.#membership;
    if (readMs !== undefined && canBeat)
      this.#time += Math.min(Math.max(0, nowMs - readMs), this.#options.gapMs);
    const present = new Set<string>();
    for (const resource of resources.slice(0, MEMBERS_MAX)) {
      present.add(resource.key.name);
      this.#hear(resource, nowMs);
    }
    for (const id of this.#entries.keys()) if (!present.has(id)) this.#entries.delete(id);
    const members = this.#members();
    const changed =
      members.length !== before.length ||
      members.some(({ id, generation, state }, at) => {
        const old = before[at] as Member;
        return old.id !== id || old.generation !== generation || old.state !== state;
      });
    this.#membership = changed
      ? { revision: revision + 1, members, readMs: nowMs }
      : { revision, members: before, readMs: nowMs };
    return changed;
  }

  #hear({ key: { name }, generation, record_json }: StoredResource, nowMs: number): void {
    const known = this.#entries.get(name);
    if (known?.generation === generation) return;
    const read = readMember(record_json);
    // A record under another's name is nobody's.
    const record = read?.id === name ? read : undefined;
    // Of one who was not known yet nothing but its own clock tells the age.
    const ageMs = known === undefined && record !== undefined ? nowMs - record.beat_at_ms : 0;
    const age = Math.min(Math.max(0, ageMs), AGE_MAX_MS);
    this.#entries.set(name, {
      generation,
      record,
      warm: record === undefined ? EMPTY : unpackDigests(record.warm),
      cached: record === undefined ? EMPTY : unpackDigests(record.cached),
      heardAt: this.#time - age,
      seenMs: nowMs - age,
    });
  }

  #members(): Member[] {
    const members: Member[] = [];
    for (const entry of this.#entries.values()) {
      const { record, heardAt, seenMs, generation, warm, cached } = entry;
      if (record === undefined) continue;
      const { id, roles, address, version, started_at_ms, draining, capacity, cpus, running, waiting } =
        record;
      const state = this.#stateAt(this.#time - heardAt, draining);
      members.push({
        id,
        roles,
        address,
        version,
        startedMs: started_at_ms,
        state,
        draining,
        seenMs,
        generation,
        capacity,
        cpus,
        running,
        waiting,
        warm,
        cached,
      });
    }
    return members.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #stateAt(ageMs: number, draining: boolean): MemberState {
    if (ageMs >= this.#options.lostMs) return "lost";
    if (draining) return "draining";
    return ageMs >= this.#options.lateMs ? "late" : "live";
  }
}
