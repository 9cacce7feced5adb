import { LIMITS, PlatformError } from "@sous/contract";
import { brokenProgram, prepareProgram, type PreparedProgram } from "./prepare-program.ts";
import { type BundleContents, readBundle } from "./read-bundle.ts";
import type { TypeStripper } from "./type-stripper.ts";

/** What the cache holds and how it did, for metrics; the counters only grow. */
export interface BundleCacheStats {
  items: number;
  bytes: number;
  hits: number;
  misses: number;
}

/** Programs ready to run, by the hash of their bundle. */
export interface BundleCache {
  /**
   * @param version the version to run, or anything with its hash
   * @returns the program, at once when it is cached; a bundle that is missing, corrupt or cannot be read is
   * a broken program, never a program to run
   * @throws CS_STORE_READ_FAILED, or what `load` threw, when the bundle could not be fetched
   */
  get(version: { sha256: string }): PreparedProgram | Promise<PreparedProgram>;
  stats(): BundleCacheStats;
  /** Hashes of programs it holds that can run, at most `max`: first those in use, the younger ones before the older. */
  held(max: number): string[];
}

export interface BundleCacheOptions {
  /** Fetches the tar of a published bundle. */
  load(sha256: string): Promise<Uint8Array | undefined>;
  stripper: TypeStripper;
  /** Epoch milliseconds now. */
  clock(): number;
  /** (10,000) */
  itemsMax?: number;
  /** Of text in memory (512 MiB). */
  bytesMax?: number;
}

/** How long a fault that may pass is answered from memory, so that it cannot be used to keep us busy. */
const FAULT_TTL_MS = 30_000;
const ENTRY_BYTES = 1024;

interface Entry {
  program: PreparedProgram;
  bytes: number;
  staleAtMs: number;
  /** Used since eviction last came by. */
  used: boolean;
}

/**
 * Makes a cache that fetches each bundle once, however many wait. Over its bounds the oldest goes that was not used since
 * the last time (a clock): with thousands of bundles it costs less to set a flag than to move an entry.
 */
export function createBundleCache(options: BundleCacheOptions): BundleCache {
  const { load, stripper, clock } = options;
  const { itemsMax = LIMITS.bundleCacheItemsMax, bytesMax = LIMITS.bundleCacheBytesMax } = options;
  // A Map keeps the order of insertion: the first entry is the oldest.
  const entries = new Map<string, Entry>();
  const flights = new Map<string, Promise<PreparedProgram>>();
  let bytes = 0;
  let hits = 0;
  let misses = 0;

  function forget(sha256: string): void {
    const entry = entries.get(sha256);
    if (entry === undefined) return;
    entries.delete(sha256);
    bytes -= entry.bytes;
  }

  function keep(program: PreparedProgram): void {
    const entry: Entry = {
      program,
      bytes: ENTRY_BYTES + (program.ok ? program.bytes : 0),
      staleAtMs: program.ok || program.settled ? Infinity : clock() + FAULT_TTL_MS,
      used: false,
    };
    if (entry.bytes > bytesMax) return;
    // Before it is in: all others may have been used, and then it would be the first that was not.
    for (const [sha256, oldest] of entries) {
      if (entries.size < itemsMax && bytes + entry.bytes <= bytesMax) break;
      if (!oldest.used) {
        forget(sha256);
        continue;
      }
      // A second chance at the end of the line.
      oldest.used = false;
      entries.delete(sha256);
      entries.set(sha256, oldest);
    }
    entries.set(program.sha256, entry);
    bytes += entry.bytes;
  }

  async function fetch(sha256: string): Promise<PreparedProgram> {
    const program = await prepare(sha256, await loadTar(load, sha256), stripper);
    keep(program);
    return program;
  }

  return {
    get({ sha256 }) {
      const entry = entries.get(sha256);
      if (entry !== undefined) {
        if (entry.staleAtMs === Infinity || clock() < entry.staleAtMs) {
          hits += 1;
          entry.used = true;
          return entry.program;
        }
        forget(sha256);
      }
      misses += 1;
      const flying = flights.get(sha256);
      if (flying !== undefined) return flying;
      const flight = fetch(sha256).finally(() => flights.delete(sha256));
      flights.set(sha256, flight);
      return flight;
    },
    stats: () => ({ items: entries.size, bytes, hits, misses }),
    held(max) {
      const runnable = [...entries].filter(([, { program }]) => program.ok).toReversed();
      runnable.sort(([, a], [, b]) => Number(b.used) - Number(a.used));
      return runnable.slice(0, max).map(([sha256]) => sha256);
    },
  };
}

async function loadTar(load: BundleCacheOptions["load"], sha256: string): Promise<Uint8Array | undefined> {
  try {
    return await load(sha256);
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause;
    throw new PlatformError("CS_STORE_READ_FAILED", "The bundle could not be fetched; try again", { cause });
  }
}

async function prepare(
  sha256: string,
  tar: Uint8Array | undefined,
  stripper: TypeStripper,
): Promise<PreparedProgram> {
  if (tar === undefined) return brokenProgram(sha256, "The bundle is gone; publish it again", false);
  let contents: BundleContents;
  try {
    contents = readBundle(tar, sha256);
  } catch (error) {
    if (error instanceof PlatformError) return brokenProgram(sha256, error.message, false);
    throw error;
  }
  return prepareProgram({ sha256, contents, stripper });
}
