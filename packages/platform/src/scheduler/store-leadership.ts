import type { Lease, LeaseStore } from "@sous/store";
import type { Leadership, Term } from "./leadership.ts";
import type { SetTimer } from "./set-timer.ts";

export interface StoreLeadershipOptions {
  leases: LeaseStore;
  /** Name of this process among the others. */
  holder: string;
  /** Name of the lease (`scheduler`). */
  name?: string;
  /** How long a term goes on without being renewed, milliseconds (5,000). */
  ttlMs?: number;
  /** Pause between two beats, milliseconds (2,000). */
  beatMs?: number;
  /** Epoch milliseconds. */
  clock: () => number;
  /** Milliseconds of a clock that nobody sets. */
  monotonic: () => number;
  setTimer: SetTimer;
  /** Hears of beats that failed. */
  onFault: (error: unknown) => void;
}

/**
 * Leadership by a lease in the store. States: follower → leader (it took the lease) → follower (another has it, or it
 * could not renew in time by its own monotonic clock). A follower takes a lease that has run out, or that it has seen
 * unchanged for a whole `ttlMs`: the second does not depend on clocks that agree.
 */
export function createStoreLeadership(options: StoreLeadershipOptions): Leadership {
  const { leases, holder, name = "scheduler", ttlMs = 5000, beatMs = 2000 } = options;
  const { clock, monotonic, setTimer, onFault } = options;
  let term: Term | undefined;
  /** By the monotonic clock. */
  let validUntil = 0;
  let seen: { lease: Lease; since: number } | undefined;
  let listener: () => void = () => {};
  let stopTimer: () => void = () => {};
  let closed = false;
  let beating: Promise<void> = Promise.resolve();

  async function renew(fence: { epoch: number }): Promise<void> {
    const begun = monotonic();
    if (await leases.renew(name, fence.epoch, clock() + ttlMs)) validUntil = begun + ttlMs;
    else term = undefined;
  }

  /** @returns the lease, when it has not changed for so long that nobody can be behind it */
  async function look(): Promise<Lease | undefined> {
    const lease = await leases.read(name);
    const now = monotonic();
    const isSame = seen?.lease.epoch === lease?.epoch && seen?.lease.until_ms === lease?.until_ms;
    if (lease === undefined) seen = undefined;
    else if (seen === undefined || !isSame) seen = { lease, since: now };
    return seen !== undefined && now - seen.since >= ttlMs ? seen.lease : undefined;
  }

  async function take(): Promise<void> {
    const stale = await look();
    const begun = monotonic();
    const nowMs = clock();
    const epoch = await leases.acquire(name, holder, nowMs, nowMs + ttlMs, stale);
    if (epoch === undefined) return;
    if (closed) {
      await leases.release(name, epoch);
      return;
    }
    validUntil = begun + ttlMs;
    seen = undefined;
    term = { fence: { lease: name, epoch } };
    listener();
  }

  async function beat(): Promise<void> {
    try {
      const fence = term?.fence;
      await (fence === undefined ? take() : renew(fence));
    } catch (error) {
      onFault(error);
    }
    if (closed) return;
    stopTimer = setTimer(() => {
      beating = beat();
    }, beatMs);
  }

  beating = beat();
  return {
    term: () => (monotonic() < validUntil ? term : undefined),
    onTerm: (heard) => (listener = heard),
    async [Symbol.asyncDispose]() {
      closed = true;
      stopTimer();
      await beating;
      const fence = term?.fence;
      term = undefined;
      if (fence !== undefined) await leases.release(name, fence.epoch).catch(onFault);
    },
  };
}
