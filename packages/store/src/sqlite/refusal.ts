import type { ErrorCode } from "@sous/contract";

/** Why a command or a batch was not carried out, in a form that crosses threads. */
export interface RefusalData {
  code: ErrorCode;
  message: string;
}

/**
 * Thrown by a command that cannot be carried out; undoes that command alone.
 * Not a PlatformError: the write thread loads nothing it does not need, and the error is made anew on the
 * main thread anyway, where its stack says something.
 */
export class Refusal extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = "Refusal";
    this.code = code;
  }
}

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

/** @returns the text of whatever was thrown */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
