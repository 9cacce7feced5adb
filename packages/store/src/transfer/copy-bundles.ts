import { createHash } from "node:crypto";
import { PlatformError } from "@sous/contract";
import type { BundleStore } from "../bundles/bundle-store.ts";

export interface CopyBundlesOptions {
  /** What to bring over, and where each one lies. */
  from: AsyncIterable<{ sha256: string; get: () => Promise<Uint8Array | undefined> }>;
  to: BundleStore;
  /** Looks, and writes nothing (no). */
  dryRun?: boolean | undefined;
  /** Hears how far it is, after each bundle (nobody). */
  onProgress?: ((bundles: number) => void) | undefined;
}

export interface CopyBundlesReport {
  to: string;
  written: number;
  same: number;
  /** Hashes of those that are damaged or gone where they come from. */
  damaged: string[];
}

/**
 * Brings bundles to a place. Each is checked when it leaves and when it has arrived; one that is there whole is not written
 * again, one that is there damaged is set aside first.
 * @throws CS_BUNDLES_UNAVAILABLE, also where a place does not hold what was written
 */
export async function copyBundles(options: CopyBundlesOptions): Promise<CopyBundlesReport> {
  const { from, to, dryRun = false, onProgress } = options;
  const report: CopyBundlesReport = { to: to.place, written: 0, same: 0, damaged: [] };
  const seen = new Set<string>();
  for await (const { sha256, get } of from) {
    if (seen.has(sha256)) continue;
    seen.add(sha256);
    const there = await to.get(sha256);
    if (there !== undefined && hashOf(there) === sha256) report.same += 1;
    else {
      const bytes = await get();
      if (bytes === undefined || hashOf(bytes) !== sha256) report.damaged.push(sha256);
      else {
        report.written += 1;
        if (!dryRun) await bring(to, sha256, bytes, there !== undefined);
      }
    }
    onProgress?.(seen.size);
  }
  return report;
}

async function bring(to: BundleStore, sha256: string, bytes: Uint8Array, isDamaged: boolean): Promise<void> {
  if (isDamaged) await to.quarantine(sha256);
  await to.put(sha256, bytes);
  const there = await to.get(sha256);
  if (there !== undefined && hashOf(there) === sha256) return;
  const message = `${to.place} does not hold bundle ${sha256} as it was written; look at it, then try again`;
  throw new PlatformError("CS_BUNDLES_UNAVAILABLE", message);
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
