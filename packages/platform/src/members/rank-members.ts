import { affinity } from "./hash-text.ts";
import type { Member } from "./membership.ts";

/** What speaks for a member; the first three are those of the design the platform follows (decision 044). */
const CACHED_POINTS = 100;
const WARM_POINTS = 50;
const IDLE_POINTS = 30;
/** For the members a tenant is at home at: its sandbox hosts stay few. */
const HOME_POINTS = 20;
/** How many members those are. */
const TENANT_HOMES = 2;
/** Load is told in so many steps: small differences do not send a version elsewhere. */
const IDLE_STEPS = 4;
/** Activations a processor has in hand where a member counts as busy. */
const BUSY_PER_CPU = 8;

/** Why a member was chosen: the version is warm there, its bundle is there, or it is the version's turn to be spread. */
export type PlacementReason = "warm" | "cached" | "spread";

/** Members that calls can be sent to, with the hash of each one's id. */
export interface Candidate {
  readonly member: Member;
  readonly hash: number;
  /** Activations it has in hand, as far as is known. */
  readonly load: number;
}

/** What is to be placed, as the digests members tell of. */
export interface Subject {
  /** `hashText` of the tenant. */
  tenant: number;
  /** `hashText` of the program's key. */
  version: number;
  /** `bundleDigest` of its bundle. */
  bundle: number;
}

/** A member for a version, the best first. */
export interface Ranked<C extends Candidate> {
  candidate: C;
  reason: PlacementReason;
}

/**
 * @returns the best members for a version, at most `count`. Among equals everybody chooses alike, by rendezvous of
 *   version and member: a version stays with few members, and moves for few when members come and go
 */
export function rankMembers<C extends Candidate>(
  subject: Subject,
  candidates: readonly C[],
  count: number,
): Ranked<C>[] {
  const homes = firstByAffinity(subject.tenant, candidates, TENANT_HOMES);
  const best: { candidate: C; points: number; tie: number }[] = [];
  for (const candidate of candidates) {
    const points = pointsOf(subject, candidate) + (homes.includes(candidate) ? HOME_POINTS : 0);
    insert(best, { candidate, points, tie: affinity(subject.version, candidate.hash) }, count);
  }
  return best.map(({ candidate }) => ({ candidate, reason: reasonOf(subject, candidate.member) }));
}

/** @returns the candidates a hash wants most, the first one first */
export function firstByAffinity<C extends Pick<Candidate, "hash">>(
  hash: number,
  candidates: readonly C[],
  count: number,
): C[] {
  const best: { candidate: C; points: number; tie: number }[] = [];
  for (const candidate of candidates) {
    insert(best, { candidate, points: 0, tie: affinity(hash, candidate.hash) }, count);
  }
  return best.map(({ candidate }) => candidate);
}

function pointsOf({ version, bundle }: Subject, { member, load }: Candidate): number {
  const use = Math.min(1, load / (BUSY_PER_CPU * member.cpus));
  return (
    (member.cached.has(bundle) ? CACHED_POINTS : 0) +
    (member.warm.has(version) ? WARM_POINTS : 0) +
    (IDLE_POINTS * (IDLE_STEPS - Math.floor(use * IDLE_STEPS))) / IDLE_STEPS
  );
}

function reasonOf({ version, bundle }: Subject, member: Member): PlacementReason {
  if (member.warm.has(version)) return "warm";
  return member.cached.has(bundle) ? "cached" : "spread";
}

/** Keeps the best `count` in order. */
function insert<T extends { points: number; tie: number }>(best: T[], entry: T, count: number): void {
  let at = best.length;
  while (at > 0 && isBetter(entry, best[at - 1] as T)) at--;
  if (at >= count) return;
  best.splice(at, 0, entry);
  if (best.length > count) best.pop();
}

const isBetter = (a: { points: number; tie: number }, b: { points: number; tie: number }): boolean =>
  a.points !== b.points ? a.points > b.points : a.tie > b.tie;
