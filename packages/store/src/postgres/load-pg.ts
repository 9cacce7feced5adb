import type * as pg from "pg";
import { PlatformError } from "@sous/contract";

export type Pg = typeof pg;

/** Loads the client on first use: who keeps everything in SQLite never does. @throws CS_STORE_UNAVAILABLE */
export async function loadPg(): Promise<Pg> {
  try {
    return await import("pg");
  } catch (cause) {
    throw new PlatformError("CS_STORE_UNAVAILABLE", "The client of PostgreSQL is missing: npm install pg", {
      cause,
    });
  }
}
