import type { Message } from "@sous/codeq";
import type { Invocation } from "@sous/contract";
import type { Catalog } from "../catalog/catalog.ts";

/** Synchronous activations handed to a sandbox before it has a free isolate: they wait there, in order. */
const SYNC_WINDOW = 64;
/** Lanes remembered while nothing of them is claimed. */
const LANES_MAX = 10_000;

export interface ClaimWindowOptions {
  catalog: Catalog;
  /** Tells the queue that a message it was refused for may be taken now. */
  wake: (message: Message<Invocation>) => void;
}

/** What is claimed of one version. */
export interface ClaimedPlace {
  taken: number;
  /** The version's bound on concurrency, once it is known. */
  bound: number | undefined;
  /** Its bound cannot be known (a deleted function, a store that is down): the next message is let through to say so. */
  unknown: boolean;
  /** A message was refused, and waits to be woken. */
  refused: boolean;
}

/** How much of one version this process takes from the queue at a time. */
export interface ClaimWindow {
  accepts(message: Message<Invocation>): boolean;
  /** Counts a claimed message; every place is given back once. */
  take(message: Message<Invocation>): ClaimedPlace;
  giveBack(place: ClaimedPlace, message: Message<Invocation>): void;
}

/**
 * Synchronous work may be claimed ahead: its deadline counts from its arrival. Asynchronous work is claimed
 * only when an isolate is free for it, as its deadline counts from there, and its attempt too.
 */
export function createClaimWindow({ catalog, wake }: ClaimWindowOptions): ClaimWindow {
  // By tenant, lane and version: a key made of all three would be a new string to hash for each message.
  const tenants = new Map<string, Map<string, Map<number, ClaimedPlace>>>();
  let lanes = 0;

  function placeOf({ tenant, lane, body }: Message<Invocation>): ClaimedPlace {
    let byLane = tenants.get(tenant);
    if (byLane === undefined) tenants.set(tenant, (byLane = new Map()));
    let byVersion = byLane.get(lane);
    if (byVersion === undefined) {
      if (++lanes > LANES_MAX) forgetIdle();
      byLane.set(lane, (byVersion = new Map()));
    }
    const version = body.ref.version ?? 0;
    let place = byVersion.get(version);
    if (place === undefined) {
      place = { taken: 0, bound: undefined, unknown: false, refused: false };
      byVersion.set(version, place);
    }
    return place;
  }

  function forgetIdle(): void {
    lanes = 0;
    for (const [tenant, byLane] of tenants) {
      for (const [lane, byVersion] of byLane) {
        for (const [version, { taken, refused }] of byVersion) {
          if (taken === 0 && !refused) byVersion.delete(version);
        }
        if (byVersion.size === 0) byLane.delete(lane);
        else lanes++;
      }
      if (byLane.size === 0) tenants.delete(tenant);
    }
  }

  /** Versions never change, and neither does their bound: it is looked up once. */
  function boundOf(place: ClaimedPlace, message: Message<Invocation>): number | undefined {
    if (place.bound !== undefined) return place.bound;
    const { tenant, namespace, ref } = message.body;
    const target = ref.version === undefined ? undefined : { version: ref.version };
    const found = catalog.resolve({ tenant, namespace, name: ref.function }, target);
    if (!(found instanceof Promise)) return (place.bound = found.config.max_concurrency);
    found
      .then(
        (version) => (place.bound = version.config.max_concurrency),
        () => (place.unknown = true),
      )
      .finally(() => wake(message));
    return undefined;
  }

  function fits(place: ClaimedPlace, message: Message<Invocation>): boolean {
    if (message.body.mode === "sync") return place.taken < SYNC_WINDOW;
    if (place.unknown) {
      place.unknown = false;
      return true;
    }
    const bound = boundOf(place, message);
    return bound !== undefined && place.taken < bound;
  }

  return {
    accepts(message) {
      const place = placeOf(message);
      if (fits(place, message)) return true;
      place.refused = true;
      return false;
    },
    take(message) {
      const place = placeOf(message);
      place.taken++;
      return place;
    },
    giveBack(place, message) {
      place.taken--;
      if (!place.refused) return;
      place.refused = false;
      wake(message);
    },
  };
}
