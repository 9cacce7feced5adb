import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { PlatformError } from "@sous/contract";
import { messageOf, Refusal } from "../sql/refusal.ts";
import { migrate } from "../sqlite/migrate.ts";
import { sqliteMigrations } from "../sqlite/sqlite-migrations.ts";
import type { Row, Value } from "./kinds.ts";
import { createSqlEnd, type SqlLink } from "./sql-end.ts";
import type { OpenEndOptions, StoreEnd } from "./store-end.ts";

const BUSY_TIMEOUT_MS = 5000;

/**
 * Opens a database file as an end of a migration. A source of an older release is copied and brought to this one's schema; the
 * file itself stays as it is.
 * @throws CS_NOT_FOUND for a source without a file, CS_STORE_UNAVAILABLE when it is no database or comes from a newer release
 */
export function openSqliteEnd({ url, as, now }: OpenEndOptions): StoreEnd {
  const path = url.slice("sqlite:".length);
  try {
    return createSqlEnd(as === "source" ? openSource(path, now()) : openTarget(path, now()));
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause;
    const reason = cause instanceof Refusal ? cause.message : messageOf(cause);
    throw new PlatformError("CS_STORE_UNAVAILABLE", `${path} cannot be opened: ${reason}`, { cause });
  }
}

function openSource(path: string, nowMs: number): SqlLink {
  if (!existsSync(path))
    throw new PlatformError("CS_NOT_FOUND", `There is no database ${path}; mend the URL`);
  const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  const known = sqliteMigrations().length;
  const version = schemaVersion(db);
  if (version === known) {
    // Everything is read as of this moment, whatever is written meanwhile.
    db.exec("begin");
    db.prepare("select count(*) from schema_migrations").get();
    return linkOf(db, path, () => {});
  }
  if (version > known) {
    db.close();
    throw new Refusal(
      "CS_STORE_UNAVAILABLE",
      `it has schema version ${version}, this release knows ${known} at most; run a newer release`,
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "sous-migrate-"));
  try {
    const copy = join(folder, "copy.db");
    db.prepare("vacuum into ?").run(copy);
    db.close();
    const migrated = new DatabaseSync(copy);
    migrate(migrated, sqliteMigrations(), nowMs);
    return linkOf(migrated, path, () => rmSync(folder, { recursive: true, force: true }));
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function schemaVersion(db: DatabaseSync): number {
  const row = db.prepare("select coalesce(max(number), 0) as number from schema_migrations").get();
  return Number(row?.["number"]);
}

function openTarget(path: string, nowMs: number): SqlLink {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o600));
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    db.exec("pragma journal_mode = wal; pragma synchronous = full; pragma temp_store = memory");
    migrate(db, sqliteMigrations(), nowMs);
    return linkOf(db, path, () => {});
  } catch (error) {
    db.close();
    throw error;
  }
}

function linkOf(db: DatabaseSync, path: string, onClose: () => void): SqlLink {
  const prepared = new Map<string, ReturnType<DatabaseSync["prepare"]>>();
  const run = <T>(code: "CS_STORE_READ_FAILED" | "CS_STORE_WRITE_FAILED", body: () => T): T => {
    try {
      return body();
    } catch (cause) {
      if (cause instanceof PlatformError) throw cause;
      throw new PlatformError(code, `${path}: ${messageOf(cause)}`, { cause });
    }
  };
  return {
    place: `sqlite:${path}`,
    engine: "sqlite",
    async all(sql, values) {
      return run("CS_STORE_READ_FAILED", () => {
        let statement = prepared.get(sql);
        if (statement === undefined) {
          statement = db.prepare(sql);
          prepared.set(sql, statement);
        }
        // Rows come with null prototypes.
        return (statement.all(...(values as SQLInputValue[])) as Record<string, Value>[]).map((row): Row => ({
          ...row,
        }));
      });
    },
    async transaction(body) {
      run("CS_STORE_WRITE_FAILED", () => db.exec("begin immediate"));
      try {
        await body();
        run("CS_STORE_WRITE_FAILED", () => db.exec("commit"));
      } catch (error) {
        if (db.isTransaction) db.exec("rollback");
        throw error;
      }
    },
    async close() {
      if (db.isOpen) db.close();
      onClose();
    },
  };
}
