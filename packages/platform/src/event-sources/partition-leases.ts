import type { Fence, Lease, LeaseStore } from "@sous/store";
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
}

/** The leases of a process that is alone with its store. */
export const createLocalLeases = (): PartitionLeases => ({
  take: async () => ({
    fence: undefined,
    lost: new AbortController().signal,
    [Symbol.asyncDispose]: async () => {},
  }),
  [Symbol.asyncDispose]: async () => {},
});

export interface StoreLeasesOptions {
  leases: LeaseStore;
  /** Name of this process among the others. */
  holder: string;
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

/** For each lease a process has already it waits so long before it takes one more: whoever has fewer comes first. */
const PATIENCE_MS = 100;
const PATIENCE_MAX_MS = 3000;

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
  const { leases, holder, ttlMs = 10_000, beatMs = 3000, clock, monotonic, sleep, onFault } = options;
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

  /** @returns the lease, when nobody can be behind it any more */
  async function stale(name: string): Promise<Lease | undefined> {
    const lease = await leases.read(name);
    const known = seen.get(name);
    if (lease === undefined) {
      seen.delete(name);
      return undefined;
    }
    if (known === undefined || known.lease.epoch !== lease.epoch || known.lease.until_ms !== lease.until_ms) {
      seen.set(name, { lease, since: monotonic() });
      return undefined;
    }
    return monotonic() - known.since >= ttlMs ? lease : undefined;
  }

  const beating = beat();
  return {
    async take(name) {
      await sleep(Math.min(PATIENCE_MAX_MS, held.size * PATIENCE_MS), closing.signal);
      if (closing.signal.aborted) return undefined;
      const unchanged = await stale(name);
      const begun = monotonic();
      const nowMs = clock();
      const epoch = await leases.acquire(name, holder, nowMs, nowMs + ttlMs, unchanged);
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
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await beating;
      await Promise.all([...held].map(({ name, epoch }) => leases.release(name, epoch).catch(onFault)));
    },
  };
}
