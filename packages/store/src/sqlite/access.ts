import type { Statements } from "../sql/statements.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Reader } from "./reader.ts";

/** What every part of the SQLite store works with: one way to read, one to write, and the compiled SQL. */
export interface Access {
  reader: Reader;
  writer: GroupCommit;
  statements: Statements;
  /** The clock, epoch milliseconds. */
  now: () => number;
}
