import type { CommandName, Commands } from "../commands/commands.ts";
import type { Statement } from "../statement.ts";
import type { Statements } from "../statements.ts";

/** A read that is done at once, or one that is waited for. */
export type MaybePromise<T> = T | Promise<T>;

/** How a driver reads: at once where the database is in the process, else as a promise. */
export interface SqlReader {
  /** @throws CS_STORE_READ_FAILED, CS_STORE_UNAVAILABLE */
  get<P extends object, R>(statement: Statement<P, R>, parameters: P): MaybePromise<R | undefined>;
  /** @throws CS_STORE_READ_FAILED, CS_STORE_UNAVAILABLE */
  all<P extends object, R>(statement: Statement<P, R>, parameters: P): MaybePromise<R[]>;
}

/** How a driver writes: commands of one tick in one transaction. */
export interface SqlWriter {
  /** @returns the command's answer, once it is on disk; rejects with a PlatformError */
  write<Name extends CommandName>(
    name: Name,
    ...args: Parameters<Commands[Name]>
  ): Promise<ReturnType<Commands[Name]>>;
}

/** What every part of a store over SQL works with: one way to read, one to write, and the compiled SQL. */
export interface Access {
  reader: SqlReader;
  writer: SqlWriter;
  statements: Statements;
  /** The clock, epoch milliseconds. */
  now: () => number;
}
