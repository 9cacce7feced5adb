import assert from "node:assert/strict";
import type { Message } from "@sous/codeq";
import { type ActivationRecord, type Invocation, PlatformError } from "@sous/contract";
import type { Fence, Lease, ScheduleStart, Store, StoredSchedule, TerminalRecord } from "@sous/store";
import type { VirtualTime } from "./virtual-time.ts";

type ScheduleStore = NonNullable<Store["schedules"]>;
type LeaseStore = NonNullable<Store["leases"]>;

const keyOf = ({ tenant, namespace, name }: { tenant: string; namespace: string; name: string }): string =>
  `${tenant}/${namespace}/${name}`;

/** Schedules in memory, as the contract of the store has them; what is due lies in buckets of a second. */
export class MemorySchedules implements ScheduleStore {
  readonly #rows = new Map<string, StoredSchedule>();
  readonly #buckets = new Map<number, Set<StoredSchedule>>();
  /** No second before the first or after the last has a bucket. */
  #firstSecond = Infinity;
  #lastSecond = -Infinity;
  readonly #perSpace = new Map<string, number>();
  readonly #leases: MemoryLeases;
  readonly #perNamespaceMax: number;

  constructor(leases: MemoryLeases, perNamespaceMax = Infinity) {
    this.#leases = leases;
    this.#perNamespaceMax = perNamespaceMax;
  }

  all(): StoredSchedule[] {
    return [...this.#rows.values()];
  }

  async create(record: StoredSchedule["record"], start: ScheduleStart): Promise<void> {
    const space = `${record.tenant}/${record.namespace}`;
    const inSpace = this.#perSpace.get(space) ?? 0;
    if (this.#rows.has(keyOf(record)) || inSpace >= this.#perNamespaceMax) {
      throw new PlatformError("CS_CONFLICT", "it exists, or there is no room");
    }
    this.#perSpace.set(space, inSpace + 1);
    this.#put({ record, state: { tick_seq: 1, ...start, inflight: null, catchup_end_seq: null } });
  }

  async get(key: { tenant: string; namespace: string; name: string }): Promise<StoredSchedule | undefined> {
    return this.#rows.get(keyOf(key));
  }

  async list(
    scope: { tenant: string; namespace: string },
    page: { limit: number; cursor?: string | undefined },
  ) {
    const names = this.all()
      .filter(({ record }) => record.tenant === scope.tenant && record.namespace === scope.namespace)
      .toSorted((a, b) => (a.record.name < b.record.name ? -1 : 1));
    return pageOf(names, page);
  }

  async replace(record: StoredSchedule["record"], start: ScheduleStart): Promise<boolean> {
    const row = this.#rows.get(keyOf(record));
    if (row?.record.uid !== record.uid || row.record.generation + 1 !== record.generation) return false;
    const tick_seq = row.state.tick_seq + 1;
    this.#put({ record, state: { ...row.state, tick_seq, ...start, catchup_end_seq: null } });
    return true;
  }

  async delete(key: { tenant: string; namespace: string; name: string }): Promise<void> {
    const row = this.#rows.get(keyOf(key));
    if (row === undefined) throw new PlatformError("CS_NOT_FOUND", "there is no such schedule");
    this.#unlink(row);
    this.#rows.delete(keyOf(key));
    const space = `${key.tenant}/${key.namespace}`;
    this.#perSpace.set(space, (this.#perSpace.get(space) ?? 0) - 1);
  }

  async due(untilMs: number, page: { limit: number; cursor?: string | undefined }) {
    const after = page.cursor?.split(" ") ?? [];
    const last = Math.min(this.#lastSecond, Math.floor(untilMs / 1000));
    while (this.#firstSecond <= last && !this.#buckets.has(this.#firstSecond)) this.#firstSecond++;
    const first = Math.max(this.#firstSecond, Math.floor(Number(after[0] ?? 0) / 1000));
    const left: StoredSchedule[] = [];
    for (let second = first; second <= last; second++) {
      const bucket = [...(this.#buckets.get(second) ?? [])];
      left.push(...bucket.filter((row) => dueOf(row) <= untilMs && isAfter(row, after)).toSorted(byDue));
      if (left.length > page.limit) break;
    }
    const items = left.slice(0, page.limit);
    const end = items.at(-1);
    const next_cursor =
      left.length > page.limit && end !== undefined ? `${dueOf(end)} ${end.record.uid}` : null;
    return { items, next_cursor };
  }

  async advance(
    read: StoredSchedule,
    next: StoredSchedule["state"],
    fence: Fence | undefined,
  ): Promise<boolean> {
    const row = this.#rows.get(keyOf(read.record));
    if (fence !== undefined && this.#leases.epochOf(fence.lease) !== fence.epoch) return false;
    if (row?.record.uid !== read.record.uid || row.state.tick_seq !== read.state.tick_seq) return false;
    this.#put({ record: row.record, state: { ...next } });
    return true;
  }

  #put(row: StoredSchedule): void {
    const before = this.#rows.get(keyOf(row.record));
    if (before !== undefined) this.#unlink(before);
    this.#rows.set(keyOf(row.record), row);
    if (row.state.due_at_ms === null) return;
    const second = Math.floor(row.state.due_at_ms / 1000);
    const bucket = this.#buckets.get(second) ?? new Set();
    this.#buckets.set(second, bucket.add(row));
    this.#firstSecond = Math.min(this.#firstSecond, second);
    this.#lastSecond = Math.max(this.#lastSecond, second);
  }

  #unlink(row: StoredSchedule): void {
    if (row.state.due_at_ms === null) return;
    const second = Math.floor(row.state.due_at_ms / 1000);
    const bucket = this.#buckets.get(second);
    bucket?.delete(row);
    if (bucket?.size === 0) this.#buckets.delete(second);
  }
}

const dueOf = ({ state }: StoredSchedule): number => state.due_at_ms ?? Infinity;
const byDue = (a: StoredSchedule, b: StoredSchedule): number =>
  dueOf(a) - dueOf(b) || (a.record.uid < b.record.uid ? -1 : 1);

function isAfter(row: StoredSchedule, [due, uid = ""]: string[]): boolean {
  if (due === undefined) return true;
  return dueOf(row) > Number(due) || (dueOf(row) === Number(due) && row.record.uid > uid);
}

function pageOf<T>(all: readonly T[], { limit, cursor }: { limit: number; cursor?: string | undefined }) {
  const from = Number(cursor ?? 0);
  return {
    items: all.slice(from, from + limit),
    next_cursor: from + limit < all.length ? String(from + limit) : null,
  };
}

/** Leases in memory. */
export class MemoryLeases implements LeaseStore {
  readonly #leases = new Map<string, Lease>();

  epochOf(name: string): number {
    return this.#leases.get(name)?.epoch ?? 0;
  }

  async read(name: string): Promise<Lease | undefined> {
    const lease = this.#leases.get(name);
    return lease && { ...lease };
  }

  async raise(name: string, holder: string, epoch: number): Promise<boolean> {
    const held = this.#leases.get(name);
    if (held?.epoch === epoch && held.holder === holder) return true;
    if (held !== undefined && held.epoch >= epoch) return false;
    this.#leases.set(name, { holder, epoch, until_ms: 0 });
    return true;
  }

  async acquire(name: string, holder: string, nowMs: number, untilMs: number, stale?: Lease) {
    const held = this.#leases.get(name);
    const isStale = held !== undefined && held.epoch === stale?.epoch && held.until_ms === stale.until_ms;
    if (held !== undefined && held.until_ms > nowMs && !isStale) return undefined;
    const epoch = (held?.epoch ?? 0) + 1;
    this.#leases.set(name, { holder, epoch, until_ms: untilMs });
    return epoch;
  }

  async renew(name: string, epoch: number, untilMs: number): Promise<boolean> {
    const held = this.#leases.get(name);
    if (held?.epoch !== epoch) return false;
    held.until_ms = untilMs;
    return true;
  }

  async release(name: string, epoch: number): Promise<void> {
    const held = this.#leases.get(name);
    if (held?.epoch === epoch) this.#leases.set(name, { holder: "", epoch: epoch + 1, until_ms: 0 });
  }
}

/** One activation that really ran. */
export interface Ran {
  seq: number;
  dueMs: number;
  /** By the monotonic clock. */
  startedMs: number;
  endedMs: number | undefined;
}

/**
 * A queue with workers and the activations' records: what is published runs at once for a while of chance. As the
 * platform does, it drops what it holds already, and does not run again what has a terminal record.
 */
export class Runs {
  readonly bySchedule = new Map<string, Ran[]>();
  readonly #records = new Map<string, ActivationRecord>();
  readonly #open = new Set<string>();
  readonly #setTimer: VirtualTime["setTimer"];
  readonly #monotonic: () => number;
  readonly #durationMs: () => number;
  repeats = 0;

  constructor(options: {
    setTimer: VirtualTime["setTimer"];
    monotonic: () => number;
    durationMs: () => number;
  }) {
    this.#setTimer = options.setTimer;
    this.#monotonic = options.monotonic;
    this.#durationMs = options.durationMs;
  }

  async publish(
    message: Message<Invocation>,
    { together }: { together?: () => Promise<void> },
  ): Promise<void> {
    if (this.#open.has(message.id)) {
      this.repeats++;
      return;
    }
    await together?.();
    if (this.#records.get(message.id)?.status === "success") this.repeats++;
    else this.#run(message);
  }

  #run({ id, tenant, body }: Message<Invocation>): void {
    this.#open.add(id);
    const { schedule, tick_seq, due_ms } = body.trigger.source as Record<string, string | number>;
    const ran: Ran = {
      seq: Number(tick_seq),
      dueMs: Number(due_ms),
      startedMs: this.#monotonic(),
      endedMs: undefined,
    };
    const name = `${tenant}/${body.namespace}/${schedule}`;
    const list = this.bySchedule.get(name);
    if (list === undefined) this.bySchedule.set(name, [ran]);
    else list.push(ran);
    this.#setTimer(
      () => {
        ran.endedMs = this.#monotonic();
        this.#open.delete(id);
        const record = this.#records.get(id);
        assert.ok(record !== undefined, "what runs has a record");
        this.#records.set(id, { ...record, status: "success" });
      },
      this.#durationMs(),
      true,
    );
  }

  readonly activations = {
    create: async (record: ActivationRecord): Promise<void> => {
      if (this.#records.has(record.activation_id)) throw new PlatformError("CS_CONFLICT", "it exists");
      this.#records.set(record.activation_id, record);
    },
    finish: async (record: TerminalRecord): Promise<boolean> => {
      this.#records.set(record.activation_id, record);
      return true;
    },
    get: async (_tenant: string, id: string): Promise<ActivationRecord | undefined> => this.#records.get(id),
  };
}
