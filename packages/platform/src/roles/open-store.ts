import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type Limits, PlatformError } from "@sous/contract";
import { createSqliteStore, type Store } from "@sous/store";
import { lockData } from "./lock-data.ts";

export interface OpenedStore {
  store: Store;
  /** Held until the store is closed; `undefined` where nobody else can open it, or where others may. */
  lock: Disposable | undefined;
}

export interface OpenStoreOptions {
  /** `sqlite:PATH`, `postgres[ql]://…` or `redis[s]://…`. */
  url: string;
  limits: Limits;
  now: () => number;
  /** Whether the queue keeps its journal in this store: then no other process may work on it. */
  holdsQueue: boolean;
  /** Hears of faults nobody waits for (nobody). */
  onFault?: ((error: unknown) => void) | undefined;
  /** Hears of what an operator should change (nobody). */
  onWarning?: ((text: string) => void) | undefined;
}

/**
 * Opens the store a URL names; the drivers of servers are loaded when one is named.
 * @throws CS_VALIDATION_FAILED for an engine this release has no driver of, CS_STORE_UNAVAILABLE, CS_CONFLICT while
 *   another process has the same file, or has its queue in the same database
 */
export async function openStore(options: OpenStoreOptions): Promise<OpenedStore> {
  const { url, limits, now, holdsQueue, onFault: onError, onWarning } = options;
  const {
    activationTtlMs,
    kvNamespaceBytesMax,
    secretsPerNamespaceMax,
    schedulesPerNamespaceMax,
    auditTtlMs,
  } = limits;
  const bounds = {
    activationTtlMs,
    kvNamespaceBytesMax,
    secretsPerNamespaceMax,
    schedulesPerNamespaceMax,
    auditTtlMs,
  };
  if (/^postgres(ql)?:/.test(url)) {
    const { createPostgresStore } = await import("@sous/store/postgres");
    const store = await createPostgresStore({ url, now, isSoleWriter: holdsQueue, ...bounds });
    return { store, lock: undefined };
  }
  if (/^rediss?:/.test(url)) {
    if (holdsQueue) throw needsQueue();
    const { createRedisStore } = await import("@sous/store/redis");
    const store = await createRedisStore({ url, now, onError, onWarning, ...bounds });
    return { store, lock: undefined };
  }
  if (!url.startsWith("sqlite:")) {
    const scheme = url.split(":", 1)[0] ?? "";
    throw new PlatformError(
      "CS_VALIDATION_FAILED",
      `store: this release has no driver for ${scheme}:; use sqlite:PATH, postgres://… or redis://…`,
    );
  }
  const path = url.slice("sqlite:".length);
  const lock = path === ":memory:" ? undefined : lockFolder(path);
  try {
    return { store: await createSqliteStore({ path, ...bounds }), lock };
  } catch (error) {
    lock?.[Symbol.dispose]();
    throw error;
  }
}

/** Two processes that replay one journal would run its work twice, and nothing locks that of a Redis. */
function needsQueue(): PlatformError {
  const message =
    "codeq: memory: keeps what waits in a store of one process; with store redis://… set codeq to redis://… too";
  return new PlatformError("CS_VALIDATION_FAILED", message);
}

function lockFolder(path: string): Disposable {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  } catch (cause) {
    const message = `${dirname(path)} cannot be made a data folder; choose another with --data`;
    throw new PlatformError("CS_STORE_UNAVAILABLE", message, { cause });
  }
  return lockData(path);
}
