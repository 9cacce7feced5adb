import type { Fence, Lease, LeaseStore } from "@sous/store";
import { hashText } from "../members/hash-text.ts";
import { forEachAtMost } from "./for-each-at-most.ts";
import type { Sleep } from "./sleep.ts";

/** A time in which this process, and no other, reads a partition. */
export interface Tenure extends AsyncDisposable {
  /** What writes are fenced with; `undefined` where there is nobody else. */
  readonly fence: Fence | undefined;
  /** Aborted when it is over before we gave it back. */
  readonly lost: AbortSignal;
}

/** Who of several processes reads which partition. */
export interface PartitionLeases extends AsyncDisposable {
  /** @returns `undefined` while another process has it */
  take(name: string): Promise<Tenure | undefined>;
  /**
   * Takes this process's share of those that are free, at least one of them.
   * @returns those it has now, by name
   * @throws what the store throws, when it took none
   */
  takeShare(names: readonly string[]): Promise<ReadonlyMap<string, Tenure>>;
}

/** The leases of a process that is alone with its store. */
export function createLocalLeases(): PartitionLeases {
  const tenure = (): Tenure => ({
    fence: undefined,
    lost: new AbortController().signal,
    [Symbol.asyncDispose]: async () => {},
  });
  return {
    take: async () => tenure(),
    takeShare: async (names) => new Map(names.map((name) => [name, tenure()])),
    [Symbol.asyncDispose]: async () => {},
  };
}

export interface StoreLeasesOptions {
  leases: LeaseStore;
  /** Name of this process among the others. */
  holder: string;
  /** @returns among how many processes the leases are shared out, this one counted */
  sharers: () => number;
  /** How long a lease goes on without being renewed, milliseconds (10,000). */
  ttlMs?: number;
  /** Pause between two beats, milliseconds (3,000). */
  beatMs?: number;
  /** Epoch milliseconds. */
  clock: () => number;
  /** Milliseconds of a clock that nobody sets. */
  monotonic: () => number;
  sleep: Sleep;
  /** Hears of beats that failed. */
  onFault: (error: unknown) => void;
}

/**
 * Where others live a process waits so long before it takes what is free, for each lease it has already: whoever has
 * fewer comes first.
 */
const PATIENCE_MS = 100;
const PATIENCE_MAX_MS = 3000;
/** Leases that are asked for at a time. */
const AT_ONCE = 16;

interface HeldLease {
  name: string;
  epoch: number;
  /** By the monotonic clock. */
  validUntil: number;
  over: AbortController;
}

/**
 * Leases in the store, one a partition, renewed together. One is lost when another has it, or when it could not be
 * renewed in time by this process's own monotonic clock. One that was seen unchanged for its whole time counts as run
 * out, so that clocks need not agree.
 */
export function createStoreLeases(options: StoreLeasesOptions): PartitionLeases {
  const {
    leases,
    holder,
    sharers,
    ttlMs = 10_000,
    beatMs = 3000,
    clock,
    monotonic,
    sleep,
    onFault,
  } = options;
  const held = new Set<HeldLease>();
  const seen = new Map<string, { lease: Lease; since: number }>();
  const closing = new AbortController();

  function lose(lease: HeldLease): void {
    held.delete(lease);
    lease.over.abort();
  }

  async function renew(lease: HeldLease): Promise<void> {
    const begun = monotonic();
    try {
      if (await leases.renew(lease.name, lease.epoch, clock() + ttlMs)) lease.validUntil = begun + ttlMs;
      else lose(lease);
    } catch (error) {
      onFault(error);
    }
    if (monotonic() >= lease.validUntil) lose(lease);
  }

  async function beat(): Promise<void> {
    while (!closing.signal.aborted) {
      await sleep(beatMs, closing.signal);
      if (closing.signal.aborted) return;
      await Promise.all([...held].map(renew));
    }
  }

  /** @returns whether a lease can be had; `stale` where nobody can be behind it any more, whatever it says */
  async function look(name: string): Promise<{ isFree: boolean; stale?: Lease }> {
    const lease = await leases.read(name);
    const known = seen.get(name);
    if (lease === undefined) {
      seen.delete(name);
      return { isFree: true };
    }
    if (known === undefined || known.lease.epoch !== lease.epoch || known.lease.until_ms !== lease.until_ms) {
      seen.set(name, { lease, since: monotonic() });
    } else if (monotonic() - known.since >= ttlMs) return { isFree: true, stale: lease };
    return { isFree: lease.until_ms <= clock() };
  }

  async function acquire(name: string, stale: Lease | undefined): Promise<Tenure | undefined> {
    const begun = monotonic();
    const nowMs = clock();
    const epoch = await leases.acquire(name, holder, nowMs, nowMs + ttlMs, stale);
    if (epoch === undefined) return undefined;
    seen.delete(name);
    const lease: HeldLease = { name, epoch, validUntil: begun + ttlMs, over: new AbortController() };
    held.add(lease);
    return {
      fence: { lease: name, epoch },
      lost: lease.over.signal,
      async [Symbol.asyncDispose]() {
        if (!held.delete(lease)) return;
        await leases.release(name, epoch).catch(onFault);
      },
    };
  }

  async function takeShare(names: readonly string[]): Promise<Map<string, Tenure>> {
    const free = new Map<string, Lease | undefined>();
    await forEachAtMost(names, AT_ONCE, async (name) => {
      const { isFree, stale } = await look(name);
      if (isFree) free.set(name, stale);
    });
    const others = sharers() - 1;
    if (free.size > 0 && others > 0)
      await sleep(Math.min(PATIENCE_MAX_MS, held.size * PATIENCE_MS), closing.signal);
    const taken = new Map<string, Tenure>();
    if (closing.signal.aborted) return taken;
    const share = fromPlace([...free], hashText(holder)).slice(0, Math.ceil(free.size / (others + 1)));
    await forEachAtMost(share, AT_ONCE, async ([name, stale]) => {
      const tenure = await acquire(name, stale);
      if (tenure !== undefined) taken.set(name, tenure);
    }).catch((error: unknown) => {
      // What it has is to be read, and given back.
      if (taken.size === 0) throw error;
      onFault(error);
    });
    return taken;
  }

  const beating = beat();
  return {
    take: async (name) => (await takeShare([name])).get(name),
    takeShare,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await beating;
      await Promise.all([...held].map(({ name, epoch }) => leases.release(name, epoch).catch(onFault)));
    },
  };
}

/** @returns a list from some place on and around: processes that begin at once do not begin with the same */
function fromPlace<Item>(items: readonly Item[], place: number): Item[] {
  const at = items.length === 0 ? 0 : Math.abs(place) % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}
