import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { PlatformError } from "@sous/contract";
import { messageOf } from "../sql/refusal.ts";

const BUSY_TIMEOUT_MS = 5000;

/**
 * Copies a database that may be in use into a file, as of one moment: whatever is committed meanwhile is not in it, and nobody
 * waits for it. The file appears whole or not at all.
 * @throws CS_NOT_FOUND without a database, CS_CONFLICT where the file exists, CS_STORE_READ_FAILED, also when what was
 *   written is no sound database
 */
export function backupSqlite(path: string, file: string): void {
  if (!existsSync(path))
    throw new PlatformError("CS_NOT_FOUND", `There is no database ${path}; name another with --store`);
  if (existsSync(file)) {
    throw new PlatformError("CS_CONFLICT", `${file} exists; name another file, or take that one away`);
  }
  const partial = `${file}.partial`;
  rmSync(partial, { force: true });
  try {
    // The copy is as private as the database: the file is made before SQLite fills it.
    closeSync(openSync(partial, "w", 0o600));
    const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    try {
      db.prepare("vacuum into ?").run(partial);
    } finally {
      db.close();
    }
    checkSound(partial);
    sync(partial);
    renameSync(partial, file);
    sync(dirname(file));
  } catch (cause) {
    rmSync(partial, { force: true });
    if (cause instanceof PlatformError) throw cause;
    throw new PlatformError("CS_STORE_READ_FAILED", `${path} cannot be backed up: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function checkSound(path: string): void {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const verdict = db.prepare("pragma quick_check(1)").get()?.["quick_check"];
    if (verdict === "ok") return;
    throw new PlatformError("CS_STORE_READ_FAILED", `the copy is no sound database: ${String(verdict)}`);
  } finally {
    db.close();
  }
}

function sync(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
