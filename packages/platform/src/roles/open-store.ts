import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type Limits, PlatformError } from "@sous/contract";
import { createSqliteStore, type Store } from "@sous/store";

/**
 * Opens the store a URL names.
 * @throws CS_VALIDATION_FAILED for an engine this release has no driver of, CS_STORE_UNAVAILABLE
 */
export async function openStore(url: string, limits: Limits): Promise<Store> {
  if (!url.startsWith("sqlite:")) {
    const scheme = url.split(":", 1)[0] ?? "";
    throw new PlatformError(
      "CS_VALIDATION_FAILED",
      `store: this release has no driver for ${scheme}:; use sqlite:PATH`,
    );
  }
  const path = url.slice("sqlite:".length);
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const { activationTtlMs, kvNamespaceBytesMax } = limits;
  return await createSqliteStore({ path, activationTtlMs, kvNamespaceBytesMax });
}
