import type { Message } from "@sous/codeq";
import type { Invocation } from "@sous/contract";
import type { Catalog } from "../catalog/catalog.ts";

/** Synchronous activations handed to a sandbox before it has a free isolate: they wait there, in order. */
const SYNC_WINDOW = 64;
/** Versions whose bound on concurrency is remembered. */
const REMEMBERED_MAX = 10_000;

export interface ClaimWindowOptions {
  catalog: Catalog;
  /** Tells the queue that a message it was refused for may be taken now. */
  wake: (message: Message<Invocation>) => void;
}

/** How much of one version this process takes from the queue at a time. */
export interface ClaimWindow {
  accepts(message: Message<Invocation>): boolean;
  /** Counts a claimed message. @returns a function that gives its place back, once */
  take(message: Message<Invocation>): () => void;
}

/**
 * Synchronous work may be claimed ahead: its deadline counts from its arrival. Asynchronous work is claimed
 * only when an isolate is free for it, as its deadline counts from there, and its attempt too.
 */
export function createClaimWindow({ catalog, wake }: ClaimWindowOptions): ClaimWindow {
  const taken = new Map<string, number>();
  /** Versions never change, and neither does their bound. */
  const bounds = new Map<string, number>();
  const refused = new Set<string>();
  /** Their bound cannot be known (a deleted function, a store that is down): the next message is let through to say so. */
  const unknown = new Set<string>();

  const keyOf = ({ tenant, lane, body }: Message<Invocation>): string =>
    `${tenant}/${lane}@${body.ref.version ?? 0}`;

  function boundOf(message: Message<Invocation>, key: string): number | undefined {
    const bound = bounds.get(key);
    if (bound !== undefined) return bound;
    const { tenant, namespace, ref } = message.body;
    const found = catalog.resolve(
      { tenant, namespace, name: ref.function },
      ref.version === undefined ? undefined : { version: ref.version },
    );
    if (!(found instanceof Promise)) return remember(key, found.config.max_concurrency);
    found
      .then(
        (version) => remember(key, version.config.max_concurrency),
        () => unknown.add(key),
      )
      .finally(() => wake(message));
    return undefined;
  }

  function remember(key: string, bound: number): number {
    if (bounds.size >= REMEMBERED_MAX) bounds.clear();
    bounds.set(key, bound);
    return bound;
  }

  function fits(message: Message<Invocation>, key: string): boolean {
    const count = taken.get(key) ?? 0;
    if (message.body.mode === "sync") return count < SYNC_WINDOW;
    if (unknown.delete(key)) return true;
    const bound = boundOf(message, key);
    return bound !== undefined && count < bound;
  }

  return {
    accepts(message) {
      const key = keyOf(message);
      if (fits(message, key)) return true;
      refused.add(key);
      return false;
    },
    take(message) {
      const key = keyOf(message);
      taken.set(key, (taken.get(key) ?? 0) + 1);
      let given = false;
      return () => {
        if (given) return;
        given = true;
        const left = (taken.get(key) ?? 1) - 1;
        if (left === 0) taken.delete(key);
        else taken.set(key, left);
        if (refused.delete(key)) wake(message);
      };
    },
  };
}
