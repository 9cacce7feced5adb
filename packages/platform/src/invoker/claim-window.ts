import type { Message } from "@sous/codeq";
import type { Invocation } from "@sous/contract";
import type { Catalog } from "../catalog/catalog.ts";

/** Synchronous activations handed to a sandbox before it has a free isolate: they wait there, in order. */
const SYNC_WINDOW = 64;
/** Asynchronous activations of a tenant that are claimed however crowded its sandboxes are. */
const ASYNC_MIN = 4;
/** Lanes of a crowded tenant that are asked again at a time, and how soon where none of its work ends, in milliseconds. */
const WOKEN_MAX = 32;
const ASK_AGAIN_MS = 20;
/** Lanes remembered while nothing of them is claimed. */
const LANES_MAX = 10_000;

export interface ClaimWindowOptions {
  catalog: Pick<Catalog, "resolve">;
  /** Whether what is handed over now begins soon. */
  hasRoom: (tenant: string) => boolean;
  /** Tells the queue that a lane it was refused for may be taken from now. */
  wake: (lane: Lane) => void;
}

type Lane = Pick<Message<Invocation>, "tenant" | "lane">;

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
 * only when an isolate is free for it and the tenant's sandboxes get to it soon, as its deadline counts from there, and
 * its attempt too: a thousand functions that start cold at once would all be late.
 */
export function createClaimWindow({ catalog, hasRoom, wake }: ClaimWindowOptions): ClaimWindow {
  // By tenant, lane and version: a key made of all three would be a new string to hash for each message.
  const tenants = new Map<string, Map<string, Map<number, ClaimedPlace>>>();
  let lanes = 0;
  /** Asynchronous activations that are claimed, by tenant. */
  const claimedAsync = new Map<string, number>();
  /** Lanes that were refused because their tenant's sandboxes are crowded. */
  const crowded = new Map<string, Map<string, Lane>>();
  let timer: NodeJS.Timeout | undefined;

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

  function isCrowded({ tenant, lane, body }: Message<Invocation>): boolean {
    if (body.mode === "sync" || (claimedAsync.get(tenant) ?? 0) < ASYNC_MIN || hasRoom(tenant)) return false;
    let refused = crowded.get(tenant);
    if (refused === undefined) crowded.set(tenant, (refused = new Map()));
    refused.set(lane, { tenant, lane });
    timer ??= setTimeout(askAgain, ASK_AGAIN_MS).unref();
    return true;
  }

  function askAgain(): void {
    timer = undefined;
    for (const tenant of crowded.keys()) wakeCrowded(tenant);
    if (crowded.size > 0) timer ??= setTimeout(askAgain, ASK_AGAIN_MS).unref();
  }

  /** Has lanes of a tenant asked again as long as there is room: what is claimed meanwhile takes it. */
  function wakeCrowded(tenant: string): void {
    const refused = crowded.get(tenant);
    if (refused === undefined) return;
    let left = WOKEN_MAX;
    for (const [name, lane] of refused) {
      if (left-- === 0 || !hasRoom(tenant)) return;
      refused.delete(name);
      wake(lane);
    }
    if (refused.size === 0) crowded.delete(tenant);
  }

  function countAsync({ tenant, body }: Message<Invocation>, change: 1 | -1): void {
    if (body.mode === "sync") return;
    const count = (claimedAsync.get(tenant) ?? 0) + change;
    if (count > 0) claimedAsync.set(tenant, count);
    else claimedAsync.delete(tenant);
  }

  return {
    accepts(message) {
      if (isCrowded(message)) return false;
      const place = placeOf(message);
      if (fits(place, message)) return true;
      place.refused = true;
      return false;
    },
    take(message) {
      countAsync(message, 1);
      const place = placeOf(message);
      place.taken++;
      return place;
    },
    giveBack(place, message) {
      countAsync(message, -1);
      place.taken--;
      if (place.refused) {
        place.refused = false;
        wake(message);
      }
      wakeCrowded(message.tenant);
    },
  };
}
