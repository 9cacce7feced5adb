import { randomUUID } from "node:crypto";
import { mkdir, open, opendir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isSha256 } from "./bundle-store.ts";

/** A bundle in a folder. */
export interface BundleFile {
  sha256: string;
  bytes: number;
  /** When it was written, or last marked as used, epoch milliseconds. */
  usedAtMs: number;
}

/** What a write leaves when the process ends in it; another process may be at one, so only old ones are removed. */
const LEFTOVER_MS = 60 * 60 * 1000;
const NAME = /^([0-9a-f]{64})\.tar$/;

/**
 * Bundles as files: `<root>/ab/abcd….tar`, one folder for each first byte of the hash. A file appears whole, by a rename, or
 * not at all, however the process ends. Any number of processes may share a folder.
 */
export class BundleFolder {
  readonly root: string;
  readonly #bytesMax: number;

  /** @param bytesMax most bytes of a bundle; a longer file is read only one byte further */
  constructor(root: string, bytesMax: number) {
    this.root = root;
    this.#bytesMax = bytesMax;
  }

  /** Makes the folder and removes what writes of ended processes left. */
  async open(nowMs: number): Promise<void> {
    await mkdir(join(this.root, "tmp"), { recursive: true, mode: 0o700 });
    for await (const entry of await opendir(join(this.root, "tmp"))) {
      const path = join(this.root, "tmp", entry.name);
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined && nowMs - found.mtimeMs > LEFTOVER_MS) await rm(path, { force: true });
    }
  }

  async read(sha256: string): Promise<Uint8Array | undefined> {
    const file = await open(this.path(sha256)).catch(noneIfMissing);
    if (file === undefined) return undefined;
    try {
      const { size } = await file.stat();
      const bytes = new Uint8Array(Math.min(size, this.#bytesMax + 1));
      let length = 0;
      while (length < bytes.byteLength) {
        const { bytesRead } = await file.read(bytes, length, bytes.byteLength - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return bytes.subarray(0, length);
    } finally {
      await file.close();
    }
  }

  /** @param durable whether it is synced to the disk before this settles */
  async write(sha256: string, bytes: Uint8Array, durable: boolean): Promise<void> {
    const path = this.path(sha256);
    const folder = dirname(path);
    const temporary = join(this.root, "tmp", `${sha256}.${randomUUID()}`);
    if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined && durable) {
      await syncFolder(this.root);
    }
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(bytes);
      if (durable) await file.sync();
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    if (durable) await syncFolder(folder);
  }

  /** Moves a file to `<root>/quarantine`. @returns whether there was one */
  async setAside(sha256: string, nowMs: number): Promise<boolean> {
    const folder = join(this.root, "quarantine");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const moved = await rename(this.path(sha256), join(folder, `${sha256}.${nowMs}.tar`)).then(
      () => true,
      noneIfMissing,
    );
    return moved === true;
  }

  async remove(sha256: string): Promise<void> {
    await rm(this.path(sha256), { force: true });
  }

  /** Every bundle, in no order. */
  async *files(): AsyncIterable<BundleFile> {
    for await (const folder of await opendir(this.root)) {
      if (!/^[0-9a-f]{2}$/.test(folder.name)) continue;
      for await (const entry of await opendir(join(this.root, folder.name))) {
        const sha256 = NAME.exec(entry.name)?.[1];
        if (sha256 === undefined) continue;
        const found = await stat(this.path(sha256)).catch(noneIfMissing);
        if (found !== undefined) yield { sha256, bytes: found.size, usedAtMs: found.mtimeMs };
      }
    }
  }

  /** @returns the path of a bundle's file */
  path(sha256: string): string {
    if (!isSha256(sha256)) throw new TypeError("a bundle is named by its hash");
    return join(this.root, sha256.slice(0, 2), `${sha256}.tar`);
  }
}

function noneIfMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

/** A rename outlives a power cut only when the folder it happened in is on disk. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
