import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { PlatformError } from "@sous/contract";
import { backupSqlite, migrateStore, openStoreEnd } from "@sous/store";
import { environment } from "../config/environment.ts";
import { loadConfig } from "../config/load-config.ts";
import { MOMENTARY_KINDS } from "./members-at-work.ts";
import { PLATFORM_KIND } from "./platform-identity.ts";
import { bringTo, type DataProgress, type DataReport } from "./migrate-data.ts";
import { readIfThere } from "./read-if-there.ts";

export interface BackupDataOptions {
  /** The file to make; it must not exist. */
  file: string;
  /** Settings of the platform: `store`, `data`, `config`. */
  flags: object;
  onProgress?: ((progress: DataProgress) => void) | undefined;
}

export interface BackupReport {
  store: string;
  file: string;
  size_bytes: number;
  warnings: string[];
}

export interface RestoreDataOptions {
  /** A file that `backupData` made, or any SQLite store of this release or an older one. */
  file: string;
  /** Settings of the platform: `store`, `data`, `bundles`, `config`. */
  flags: object;
  merge?: boolean | undefined;
  dryRun?: boolean | undefined;
  onProgress?: ((progress: DataProgress) => void) | undefined;
}

/** What a backup leaves out: it is a store of its own, and not at home with the queue of the one that it was made of. */
const KINDS_LEFT_OUT = [...MOMENTARY_KINDS, PLATFORM_KIND];

const configOf = (flags: object) =>
  loadConfig({
    mode: "serve",
    flags: flags as Readonly<Record<string, unknown>>,
    env: environment(),
    readFile: readIfThere,
  }).config;

/**
 * Copies all data of the configured store into one file while the platform serves: a SQLite store, whichever engine it comes
 * from. SQLite and PostgreSQL are copied as of one moment.
 * @throws CS_CONFLICT where the file exists, CS_NOT_FOUND without a store, CS_STORE_UNAVAILABLE, CS_STORE_READ_FAILED
 */
export async function backupData({ file, flags, onProgress }: BackupDataOptions): Promise<BackupReport> {
  const { store } = configOf(flags);
  const warnings: string[] = [];
  let place = store;
  if (store.startsWith("sqlite:")) backupSqlite(store.slice("sqlite:".length), file);
  else {
    if (existsSync(file)) {
      throw new PlatformError("CS_CONFLICT", `${file} exists; name another file, or take that one away`);
    }
    await using from = await openStoreEnd({ url: store, as: "source", exclusive: false, now: Date.now });
    place = from.place;
    if (from.engine === "redis") {
      warnings.push(
        "a Redis server is not copied as of one moment: where that matters, stop the platform first",
      );
    }
    const partial = `${file}.partial`;
    removeDatabase(partial);
    try {
      {
        await using to = await openStoreEnd({ url: `sqlite:${partial}`, as: "target", now: Date.now });
        const isLive = from.engine === "redis";
        const report = await migrateStore({ from, to, isLive, momentaryKinds: KINDS_LEFT_OUT, onProgress });
        if (report.kinds.every(({ rows }) => rows === 0)) throw holdsNothing(place);
        for (const sha256 of report.damaged_bundles)
          warnings.push(`bundle ${sha256} is damaged in the store, and not in the copy`);
      }
      renameSync(partial, file);
    } catch (error) {
      removeDatabase(partial);
      throw error;
    }
  }
  return { store: place, file, size_bytes: statSync(file).size, warnings };
}

const holdsNothing = (place: string): PlatformError =>
  new PlatformError(
    "CS_NOT_FOUND",
    `${place} holds nothing to back up; look at the store's URL and its prefix`,
  );

/**
 * Brings a backup into the configured store, and its bundles to where the configuration keeps them besides. The platform must be
 * stopped.
 * @throws as `migrateData`
 */
export async function restoreData({ file, flags, ...options }: RestoreDataOptions): Promise<DataReport> {
  const { store, bundles } = configOf(flags);
  const { config } = flags as { config?: string };
  await using from = await openStoreEnd({ url: `sqlite:${file}`, as: "source", now: Date.now });
  return await bringTo(from, {
    ...options,
    to: store,
    bundlesTo: bundles === "store:" ? undefined : bundles,
    config,
    momentaryKinds: KINDS_LEFT_OUT,
  });
}

function removeDatabase(path: string): void {
  for (const end of ["", "-wal", "-shm"]) rmSync(`${path}${end}`, { force: true });
}
