import type { Reader } from "./reader.ts";
import type { StoreKeys } from "./store-keys.ts";
import type { StoreScripts } from "./store-scripts.ts";
import type { TickWriter } from "./tick-writer.ts";

/** What every part of the store works with: one way to read, one to write, and the names of keys. */
export interface Access {
  reader: Reader;
  writer: TickWriter;
  keys: StoreKeys;
  scripts: StoreScripts;
  /** The clock, epoch milliseconds. */
  now: () => number;
}

/** @returns the lower bound of a walk over names, from after one on; the empty name stands before all */
export const afterName = (name: string): string => (name === "" ? "-" : `(${name}`);
