import type { VersionStore } from "@sous/store";
import type { BundleTier } from "./bundle-tiers.ts";

/** Hashes remembered as damaged; past them the oldest is looked at once more. */
const DAMAGED_MAX = 10_000;

/**
 * The store as a tier: it has every bundle, as versions are published there. A damaged one stays in its row, where the
 * database's tools can look at it, and is passed over until a good one was put over it.
 */
export function createStoreTier(versions: Pick<VersionStore, "bundle" | "mendBundle">): BundleTier {
  const damaged = new Set<string>();
  return {
    name: "store",
    async get(sha256) {
      return damaged.has(sha256) ? undefined : await versions.bundle(sha256);
    },
    async put(sha256, bytes) {
      await versions.mendBundle(sha256, bytes);
      damaged.delete(sha256);
    },
    async quarantine(sha256) {
      damaged.add(sha256);
      for (const oldest of damaged) {
        if (damaged.size <= DAMAGED_MAX) break;
        damaged.delete(oldest);
      }
    },
  };
}
