import type { KvScope, KvStore } from "@sous/store";
import type { LiveRegistry } from "./live-registry.ts";

/** Wishes to cancel lie in the key-value part of the store, under a tenant that no tenant can be. */
const SCOPE: KvScope = { tenant: "cs", namespace: "cancel" };
/** How long a wish is kept that nobody could fulfil: what it is for has ended, or was lost with its queue. */
const KEPT_MS = 15 * 60_000;
/** How late a process that runs it hears of one, milliseconds. */
const LOOK_MS = 500;
const PAGE = 500;
/** Wishes looked at in one go: more than that is somebody's mistake, and waits for the next. */
const PAGES_MAX = 20;

/** Asks whichever process runs an activation to end it. */
export interface CancelRequests {
  /** @throws CS_STORE_UNAVAILABLE */
  request(tenant: string, activationId: string): Promise<void>;
}

export interface CancellationsOptions {
  kv: Pick<KvStore, "set" | "list" | "delete">;
  /** Epoch milliseconds. */
  now: () => number;
}

/** Makes the side that asks. The wish stands until the activation has ended, also over a retry elsewhere. */
export function createCancelRequests({ kv, now }: CancellationsOptions): CancelRequests {
  return {
    request: (tenant, activationId) => kv.set(SCOPE, keyOf(tenant, activationId), "true", now() + KEPT_MS),
  };
}

/**
 * Makes the side that hears: while activations run here, wishes are looked for twice a second, and what is wished for
 * and runs here ends. A look that fails is made again.
 */
export function watchCancelRequests({
  kv,
  now,
  live,
}: CancellationsOptions & { live: LiveRegistry }): Disposable {
  let looking = false;

  function fulfil(key: string): void {
    const at = key.indexOf("/");
    const [tenant, id] = [key.slice(0, at), key.slice(at + 1)];
    const activation = live.find(tenant, id);
    if (activation === undefined || activation.cancelRequested) return;
    activation.follow(Infinity, ({ type }) => {
      if (type === "end") kv.delete(SCOPE, key).catch(() => {});
    });
    live.cancel(tenant, id);
  }

  async function look(): Promise<void> {
    let cursor: string | undefined;
    for (let page = 0; page < PAGES_MAX; page++) {
      const { items, next_cursor } = await kv.list(SCOPE, "", now(), { limit: PAGE, cursor });
      for (const key of items) fulfil(key);
      if (next_cursor === null) return;
      cursor = next_cursor;
    }
  }

  const timer = setInterval(() => {
    if (looking || live.size === 0) return;
    looking = true;
    look()
      .catch(() => {})
      .finally(() => (looking = false));
  }, LOOK_MS);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const keyOf = (tenant: string, activationId: string): string => `${tenant}/${activationId}`;
