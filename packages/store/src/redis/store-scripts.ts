import { readFileSync } from "node:fs";
import { type Script, scriptOf } from "../redis-link/index.ts";

/** What the one script of all writes is made of, in this order. */
export const WRITE_PARTS = [
  "prelude",
  "functions",
  "versions",
  "activations",
  "kv",
  "small-data",
  "leases",
  "schedules",
  "resources",
  "audit",
  "dispatch",
] as const;

export interface StoreScripts {
  /** Every write, many in one call. */
  write: Script;
  kvGet: Script;
  findEnd: Script;
}

const read = (name: string): string => readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), "utf8");

/** Reads the scripts from their files. */
export const readStoreScripts = (): StoreScripts => ({
  write: scriptOf(WRITE_PARTS.map(read).join("\n")),
  kvGet: scriptOf(read("kv-get")),
  findEnd: scriptOf(read("find-end")),
});
