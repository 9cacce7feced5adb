import type { Kind, Row } from "./kinds.ts";

/**
 * One end of a migration: a store as rows of kinds, read and written past the parts that serve a platform. Nobody else may
 * write it meanwhile. Methods may throw `CS_STORE_UNAVAILABLE`, `CS_STORE_READ_FAILED` and `CS_STORE_WRITE_FAILED`.
 */
export interface StoreEnd extends AsyncDisposable {
  /** Where it is, for people; never with credentials. */
  readonly place: string;
  readonly engine: "sqlite" | "postgres" | "redis";
  isEmpty(kind: Kind): Promise<boolean>;
  /** Every row of a kind, in its order, in batches. */
  read(kind: Kind): AsyncIterable<readonly Row[]>;
  /** @returns for each row the one that is kept under its key, if any */
  find(kind: Kind, rows: readonly Row[]): Promise<(Row | undefined)[]>;
  /** Adds rows whose keys are free. Each is there whole or not at all, and can be found when all that belongs to it is. */
  insert(kind: Kind, rows: readonly Row[]): Promise<void>;
  /** Makes anew what follows from the rows. Called once all are there; calling it again changes nothing. */
  settle(): Promise<void>;
}

export interface OpenEndOptions {
  url: string;
  /** A source is never written to, and read as of one moment where the engine can do that. */
  as: "source" | "target";
  /** Whether it is refused while a platform has its queue there, where the engine can tell (yes). */
  exclusive?: boolean | undefined;
  now: () => number;
}
