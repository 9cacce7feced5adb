import type { VersionRecord } from "@sous/contract";
import { hashText } from "./hash-text.ts";
import { MemberLoad } from "./member-load.ts";
import { bundleDigest } from "./member-record.ts";
import { type Membership, takesCalls, topicOfMember } from "./membership.ts";
import { type PlacementReason, rankMembers, type Subject } from "./rank-members.ts";

/** Members looked at for a call before it goes to whoever has room. */
const CHOICES = 3;
/** How much more than its part of all load a member may have before calls go elsewhere (Mirrokni et al., 2016). */
const IMBALANCE = 1.25;

/**
 * What was decided for a call: a member by its reason; `overflow`: no suitable member had room; `alone`: there is no
 * choice. The last two go to whoever has room first.
 */
export type PlacementDecision = PlacementReason | "overflow" | "alone";

/** What is known of a call when it is placed. */
export interface PlacedVersion {
  tenant: string;
  namespace: string;
  name: string;
  version: VersionRecord;
}

/** A call that was sent to a member. The first of `answered`, `gone` and `waited` ends it. */
export interface PlacedCall {
  readonly topic: string;
  /** The member answered. */
  answered(): void;
  /** Nobody waits for an answer any more. */
  gone(): void;
  /** The member let it wait, and it was taken back. */
  waited(): void;
}

export interface Placement {
  /** @returns the member a synchronous call is sent to, or `undefined` where anybody may take it */
  choose(call: PlacedVersion): PlacedCall | undefined;
}

export interface PlacementOptions {
  /** As it was last seen: decisions need nobody else. */
  membership: () => Membership;
  /** The topic everybody consumes; a member's own is named after it. */
  topic: string;
  now: () => number;
  onDecision: (decision: PlacementDecision) => void;
  /** Hears of each call that its member let wait (nobody). */
  onTakenBack?: () => void;
}

/** A member among the choices of a version. */
interface Spot {
  load: MemberLoad;
  topic: string;
  reason: PlacementReason;
  /** Calls of this version that this process has there now. */
  calls: number;
}

/** A version's choices, and by which membership they were made. */
interface Home {
  subject: Subject;
  revision: number;
  spots: readonly Spot[];
}

/**
 * Places synchronous calls by the membership this process last saw: where the version is warm or its bundle is, else
 * where rendezvous says, always within bounds of load. A decision is a few comparisons; the choices of a version are
 * ranked once for each change of the membership.
 */
export function createPlacement(options: PlacementOptions): Placement {
  const { membership, topic, now, onDecision, onTakenBack = () => {} } = options;
  const homes = new WeakMap<VersionRecord, Home>();
  const loads = new Map<string, MemberLoad>();
  let candidates: MemberLoad[] = [];
  let revision = -1;
  let cpus = 0;

  function refresh({ revision: newest, members }: Membership): void {
    revision = newest;
    candidates = [];
    cpus = 0;
    const present = new Set<string>();
    for (const member of members) {
      if (member.capacity === 0) continue;
      present.add(member.id);
      let load = loads.get(member.id);
      if (load === undefined) loads.set(member.id, (load = new MemberLoad(member)));
      load.hear(member);
      if (!takesCalls(member)) continue;
      candidates.push(load);
      cpus += member.cpus;
    }
    for (const id of loads.keys()) if (!present.has(id)) loads.delete(id);
  }

  function homeOf({ tenant, namespace, name, version }: PlacedVersion): Home {
    const known = homes.get(version);
    if (known?.revision === revision) return known;
    const subject = known?.subject ?? {
      tenant: hashText(tenant),
      version: hashText(`${tenant}/${namespace}/${name}@${version.version}`),
      bundle: bundleDigest(version.sha256),
    };
    const spots = rankMembers(subject, candidates, CHOICES).map(({ candidate: load, reason }) => {
      // The same object goes on counting the calls that are there.
      const before = known?.spots.find((spot) => spot.load === load);
      if (before === undefined)
        return { load, topic: topicOfMember(topic, load.member.id), reason, calls: 0 };
      before.reason = reason;
      return before;
    });
    const home = { subject, revision, spots };
    homes.set(version, home);
    return home;
  }

  /** Whether it may have one more in hand: less than its processors, or than its part of all load and a little more. */
  function hasRoom({ member, load }: MemberLoad): boolean {
    if (load >= member.capacity) return false;
    if (load < member.cpus) return true;
    let total = 1;
    for (const candidate of candidates) total += candidate.load;
    return load < Math.ceil((IMBALANCE * total * member.cpus) / cpus);
  }

  function take(spot: Spot): PlacedCall {
    const { load } = spot;
    let ended = false;
    spot.calls++;
    load.mine++;
    /** @returns whether it was the first end */
    const end = (): boolean => {
      if (ended) return false;
      ended = true;
      spot.calls--;
      load.mine--;
      return true;
    };
    return {
      topic: spot.topic,
      answered() {
        // Taken back, it was another one who answered.
        if (end()) load.trust();
      },
      gone: () => void end(),
      waited() {
        end();
        load.avoid(now());
        onTakenBack();
      },
    };
  }

  return {
    choose(call) {
      const seen = membership();
      if (seen.revision !== revision) refresh(seen);
      if (candidates.length < 2) {
        onDecision("alone");
        return undefined;
      }
      const { max_concurrency } = call.version.config;
      for (const spot of homeOf(call).spots) {
        const { load } = spot;
        if (spot.calls >= max_concurrency || !load.isTrusted(now()) || !hasRoom(load)) continue;
        onDecision(spot.reason);
        return take(spot);
      }
      onDecision("overflow");
      return undefined;
    },
  };
}
