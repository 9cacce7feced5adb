import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type Limits, PlatformError } from "@sous/contract";
import { createSqliteStore, type Store } from "@sous/store";
import { lockData } from "./lock-data.ts";

export interface OpenedStore {
  store: Store;
  /** Held until the store is closed; `undefined` where nobody else can open it. */
  lock: Disposable | undefined;
}

/**
 * Opens the store a URL names.
 * @throws CS_VALIDATION_FAILED for an engine this release has no driver of, CS_STORE_UNAVAILABLE, CS_CONFLICT while
 *   another process has the same file
 */
export async function openStore(url: string, limits: Limits): Promise<OpenedStore> {
  if (!url.startsWith("sqlite:")) {
    const scheme = url.split(":", 1)[0] ?? "";
    throw new PlatformError(
      "CS_VALIDATION_FAILED",
      `store: this release has no driver for ${scheme}:; use sqlite:PATH`,
    );
  }
  const path = url.slice("sqlite:".length);
  const lock = path === ":memory:" ? undefined : lockFolder(path);
  const { activationTtlMs, kvNamespaceBytesMax, secretsPerNamespaceMax } = limits;
  try {
    const store = await createSqliteStore({
      path,
      activationTtlMs,
      kvNamespaceBytesMax,
      secretsPerNamespaceMax,
    });
    return { store, lock };
  } catch (error) {
    lock?.[Symbol.dispose]();
    throw error;
  }
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
