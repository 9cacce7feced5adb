import type { LeaseStore } from "@sous/store";
import type { Leadership, Term } from "../leadership.ts";
import type { SetTimer } from "../set-timer.ts";
import type { LeaseClient } from "./lease-client.ts";
import { isSameSpec, type LeaseObject, type LeaseSpec, microTime } from "./lease-object.ts";

export interface KubernetesLeadershipOptions {
  client: LeaseClient;
  /** Where the epoch of a term is made known to the writes it fences. */
  leases: Pick<LeaseStore, "read" | "raise" | "release">;
  /** Name of this process among the others. */
  holder: string;
  /** Name of the lease in the store that fences (`kubernetes/scheduler`). */
  name?: string;
  /** How long others leave a lease alone that is not renewed, milliseconds, whole seconds (15,000). */
  leaseMs?: number;
  /** How long a leader that cannot renew goes on, milliseconds (10,000); less than `leaseMs`. */
  renewDeadlineMs?: number;
  /** Pause between two tries, milliseconds (2,000); a candidate's are up to 2.2 times as long. */
  retryMs?: number;
  /** Epoch milliseconds: only shown in the Lease, never compared. */
  clock: () => number;
  /** Milliseconds of a clock that nobody sets. */
  monotonic: () => number;
  /** From 0 to 1. */
  random: () => number;
  setTimer: SetTimer;
  /** Hears of tries that failed. */
  onFault: (error: unknown) => void;
}

const JITTER_FACTOR = 1.2;

/**
 * Leadership by a Lease of Kubernetes, by the rules of client-go's leader election. States: candidate → leader (its
 * update of the Lease was taken, and the store knows its epoch) → candidate (another has it, or it could not renew in time).
 *
 * - A candidate takes a Lease that has no holder, or that it has itself seen unchanged for as long as the Lease says.
 *   Moments in the Lease are for people: no clock of another machine is compared.
 * - Of two who take it at once the API server lets one: each update names the version it has read.
 * - The epoch of a term is its `leaseTransitions`, which every new holder raises above that of the Lease and of the
 *   store: a Lease that was deleted does not begin with epochs that were there before.
 */
export function createKubernetesLeadership(options: KubernetesLeadershipOptions): Leadership {
  const { client, leases, holder, name = "kubernetes/scheduler", random } = options;
  const { leaseMs = 15_000, renewDeadlineMs = 10_000, retryMs = 2000 } = options;
  const { clock, monotonic, setTimer, onFault } = options;
  let observed: { lease: LeaseObject; since: number } | undefined;
  let term: Term | undefined;
  /** By the monotonic clock. */
  let validUntil = 0;
  let listener: () => void = () => {};
  let stopTimer: () => void = () => {};
  let closed = false;
  let trying: Promise<void> = Promise.resolve();

  function observe(lease: LeaseObject): void {
    // Seen anew only where somebody renewed: other changes of the object keep nobody in office.
    const isSame = isSameSpec(observed?.lease.spec, lease.spec) && observed !== undefined;
    observed = { lease, since: isSame ? (observed?.since ?? monotonic()) : monotonic() };
  }

  const specOf = (leaseTransitions: number, acquireTime = microTime(clock())): LeaseSpec => ({
    holderIdentity: holder,
    leaseDurationSeconds: Math.ceil(leaseMs / 1000),
    acquireTime,
    renewTime: microTime(clock()),
    leaseTransitions,
  });

  async function renew({ epoch }: { epoch: number }): Promise<void> {
    const begun = monotonic();
    let read = observed?.lease;
    let updated = read && (await client.update(read, specOf(epoch, read.spec?.acquireTime)));
    if (updated === undefined) {
      // Changed by somebody: by whom decides.
      read = await client.get();
      if (read !== undefined) observe(read);
      const isMine = read?.spec?.holderIdentity === holder && read.spec.leaseTransitions === epoch;
      updated = isMine && read ? await client.update(read, specOf(epoch, read.spec?.acquireTime)) : undefined;
      if (!isMine) term = undefined;
    }
    if (updated === undefined) return;
    observe(updated);
    validUntil = begun + renewDeadlineMs;
  }

  const isHeld = ({ lease, since }: { lease: LeaseObject; since: number }): boolean => {
    const { holderIdentity = "", leaseDurationSeconds = leaseMs / 1000 } = lease.spec ?? {};
    if (holderIdentity === "" || holderIdentity === holder) return false;
    return monotonic() < since + leaseDurationSeconds * 1000;
  };

  /** @returns the Lease with this process as its holder, `undefined` while another has it or was faster */
  async function take(): Promise<LeaseObject | undefined> {
    const read = await client.get();
    if (read === undefined) {
      const known = await leases.read(name);
      return await client.create(specOf((known?.epoch ?? 0) + 1));
    }
    observe(read);
    if (observed === undefined || isHeld(observed)) return undefined;
    const known = await leases.read(name);
    const transitions = Math.max(read.spec?.leaseTransitions ?? 0, known?.epoch ?? 0) + 1;
    return await client.update(read, specOf(transitions));
  }

  async function campaign(): Promise<void> {
    const begun = monotonic();
    const lease = await take();
    if (lease === undefined) return;
    observe(lease);
    const epoch = lease.spec?.leaseTransitions ?? 0;
    // Somebody may have taken the Lease and said so meanwhile; then this term was over before it began.
    if (!(await leases.raise(name, holder, epoch))) return;
    if (closed) return await release(epoch);
    validUntil = begun + renewDeadlineMs;
    term = { fence: { lease: name, epoch } };
    listener();
  }

  /** First what fences, then the Lease: whoever reads that it is free finds all writes of before ended. */
  async function release(epoch: number): Promise<void> {
    await leases.release(name, epoch);
    const lease = observed?.lease;
    if (lease?.spec?.holderIdentity !== holder) return;
    await client.update(lease, { ...specOf(epoch), holderIdentity: undefined, leaseDurationSeconds: 1 });
  }

  async function attempt(): Promise<void> {
    try {
      const fence = term?.fence;
      await (fence === undefined ? campaign() : renew(fence));
    } catch (error) {
      onFault(error);
    }
    // A leader that could not renew in time is a candidate like others.
    if (term !== undefined && monotonic() >= validUntil) term = undefined;
    if (closed) return;
    const pauseMs = term === undefined ? retryMs * (1 + JITTER_FACTOR * random()) : retryMs;
    stopTimer = setTimer(() => {
      trying = attempt();
    }, pauseMs);
  }

  trying = attempt();
  return {
    term: () => (monotonic() < validUntil ? term : undefined),
    onTerm: (heard) => (listener = heard),
    async [Symbol.asyncDispose]() {
      closed = true;
      stopTimer();
      await trying;
      const fence = term?.fence;
      term = undefined;
      if (fence !== undefined) await release(fence.epoch).catch(onFault);
      await client[Symbol.asyncDispose]();
    },
  };
}
