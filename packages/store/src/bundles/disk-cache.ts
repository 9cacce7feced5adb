import { utimes } from "node:fs/promises";
import { LIMITS } from "@sous/contract";
import { BundleFolder } from "./bundle-folder.ts";

/** Bundles on the disk of this machine, so that a process which starts again need not fetch them. */
export interface DiskCache {
  get(sha256: string): Promise<Uint8Array | undefined>;
  put(sha256: string, bytes: Uint8Array): Promise<void>;
  quarantine(sha256: string): Promise<void>;
  stats(): { items: number; bytes: number };
}

export interface DiskCacheOptions {
  /** Its folder; made when missing. */
  root: string;
  /** Bytes it may take on the disk; the least recently used go first. */
  bytesMax: number;
  /** Most bytes of one bundle (LIMITS.bundleBytesMax). */
  bundleBytesMax?: number | undefined;
  /** The clock, epoch milliseconds (`Date.now`). */
  now?: (() => number) | undefined;
}

/**
 * Opens a cache of bundles on disk. Nothing is synced: what a power cut leaves damaged does not have its hash. What an
 * earlier process left is taken over, in the order of its last use.
 */
export async function openDiskCache(options: DiskCacheOptions): Promise<DiskCache> {
  const { root, bytesMax, bundleBytesMax = LIMITS.bundleBytesMax, now = Date.now } = options;
  const folder = new BundleFolder(root, bundleBytesMax);
  await folder.open(now());
  // A Map keeps the order of insertion: the first entry is the one unused for longest.
  const sizes = new Map<string, number>();
  let bytes = 0;
  const found = [];
  for await (const file of folder.files()) found.push(file);
  for (const file of found.toSorted((a, b) => a.usedAtMs - b.usedAtMs)) keep(file.sha256, file.bytes);
  await evict();

  function forget(sha256: string): void {
    bytes -= sizes.get(sha256) ?? 0;
    sizes.delete(sha256);
  }

  function keep(sha256: string, size: number): void {
    forget(sha256);
    sizes.set(sha256, size);
    bytes += size;
  }

  async function evict(): Promise<void> {
    for (const sha256 of sizes.keys()) {
      if (bytes <= bytesMax) return;
      forget(sha256);
      await folder.remove(sha256);
    }
  }

  return {
    async get(sha256) {
      const read = await folder.read(sha256);
      if (read === undefined) {
        forget(sha256);
        return undefined;
      }
      keep(sha256, read.byteLength);
      const seconds = now() / 1000;
      // Another process may have removed it meanwhile, and the order of use is worth no failure.
      await utimes(folder.path(sha256), seconds, seconds).catch(() => {});
      return read;
    },
    async put(sha256, content) {
      if (content.byteLength > bytesMax) return;
      await folder.write(sha256, content, false);
      keep(sha256, content.byteLength);
      await evict();
    },
    async quarantine(sha256) {
      forget(sha256);
      await folder.setAside(sha256, now());
    },
    stats: () => ({ items: sizes.size, bytes }),
  };
}
