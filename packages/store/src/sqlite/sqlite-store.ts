import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PlatformError } from "@sous/contract";
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from "kysely";
import { SQLITE } from "../sql/dialect.ts";
import { compileMigrations } from "../sql/migrations.ts";
import type { Tables } from "../sql/schema.ts";
import { compileStatements } from "../sql/statements.ts";
import { createSqlStores, type StoreBounds } from "../sql/stores/create-sql-stores.ts";
import type { Store } from "../store.ts";
import { GroupCommit } from "./group-commit.ts";
import { messageOf } from "../sql/refusal.ts";
import { Reader } from "./reader.ts";

export interface SqliteStoreOptions extends StoreBounds {
  /**
   * The database file; its folder is made when missing. `:memory:` is a file in a temporary folder that goes
   * when the store is closed: two threads cannot share a database in memory and write it ahead.
   */
  path: string;
  /** The clock, epoch milliseconds (`Date.now`). */
  now?: (() => number) | undefined;
  /** Most writes that may wait for the disk (50 000); further ones are refused with CS_STORE_UNAVAILABLE. */
  unwrittenMax?: number | undefined;
  /** Most bytes of writes that may wait for the disk (256 MiB). */
  unwrittenBytesMax?: number | undefined;
  /** Least milliseconds between two commits that only hold finished activations and logs (5). */
  relaxedPaceMs?: number | undefined;
  /** How long to wait for another process that holds the database, milliseconds (5000). */
  busyTimeoutMs?: number | undefined;
}

const UNWRITTEN_MAX = 50_000;
const UNWRITTEN_BYTES_MAX = 256 * 1024 * 1024;
const RELAXED_PACE_MS = 5;
const BUSY_TIMEOUT_MS = 5000;

/**
 * Opens the embedded store: one SQLite file in WAL mode, written by one thread with a sync for every group of
 * commits, read from the calling thread.
 * @throws CS_STORE_UNAVAILABLE when the file cannot be opened, is no database or comes from a newer release
 */
export async function createSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, removeFolder } = preparePath(options.path);
  const now = options.now ?? Date.now;
  const busyTimeoutMs = options.busyTimeoutMs ?? BUSY_TIMEOUT_MS;
  const db = new Kysely<Tables>({ dialect: COMPILE_ONLY });
  const statements = compileStatements(db, SQLITE);
  const migrations = compileMigrations(db, SQLITE);
  const writer = await GroupCommit.open({
    thread: { path, statements, migrations, nowMs: now(), busyTimeoutMs },
    unwrittenMax: options.unwrittenMax ?? UNWRITTEN_MAX,
    unwrittenBytesMax: options.unwrittenBytesMax ?? UNWRITTEN_BYTES_MAX,
    relaxedPaceMs: options.relaxedPaceMs ?? RELAXED_PACE_MS,
  });
  const reader = await openReader(path, busyTimeoutMs, writer);
  return {
    ...createSqlStores({ reader, writer, statements, now }, options),
    async [Symbol.asyncDispose]() {
      // The reader first: the last connection to close copies the log back and removes it.
      const closed = writer[Symbol.asyncDispose]();
      reader[Symbol.dispose]();
      await closed;
      removeFolder();
    },
  };
}

async function openReader(path: string, busyTimeoutMs: number, writer: GroupCommit): Promise<Reader> {
  try {
    return new Reader(path, busyTimeoutMs);
  } catch (cause) {
    await writer[Symbol.asyncDispose]();
    throw new PlatformError("CS_STORE_UNAVAILABLE", `Cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** A dialect that only compiles: statements run on connections of our own. */
const COMPILE_ONLY = {
  createAdapter: () => new SqliteAdapter(),
  createDriver: () => new DummyDriver(),
  createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
  createQueryCompiler: () => new SqliteQueryCompiler(),
};

/** Makes folder and file so that only the owner can read them; SQLite gives its log the same mode. */
function preparePath(path: string): { path: string; removeFolder: () => void } {
  try {
    if (path === ":memory:") {
      const folder = mkdtempSync(join(tmpdir(), "sous-store-"));
      return {
        path: join(folder, "sous.db"),
        removeFolder: () => rmSync(folder, { recursive: true, force: true }),
      };
    }
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, "a", 0o600));
    return { path, removeFolder: () => {} };
  } catch (cause) {
    throw new PlatformError("CS_STORE_UNAVAILABLE", `Cannot make ${path}: ${messageOf(cause)}`, { cause });
  }
}
