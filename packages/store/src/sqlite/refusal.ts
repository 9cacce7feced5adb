/** SQLite's primary result codes after which the connection or the disk, not the statement, is at fault. */
const ENGINE_FAILURES: Record<number, string> = {
  5: "the database is locked by another process",
  6: "the database is locked",
  7: "SQLite is out of memory",
  8: "the database is read-only",
  10: "the disk reports an I/O error",
  11: "the database file is damaged",
  13: "the database or its disk is full",
  14: "the database file cannot be opened",
  15: "the lock protocol failed",
  26: "the file is not a SQLite database",
};

/**
 * Tells a failing engine from a failing statement.
 * @returns what is wrong with the engine, or `undefined` when only the statement failed
 */
export function engineFailure(error: unknown): string | undefined {
  const code = (error as { errcode?: unknown } | undefined)?.errcode;
  return typeof code === "number" ? ENGINE_FAILURES[code & 0xff] : undefined;
}
