import type { RedisLink } from "./redis-link.ts";

/** @returns whether the server says that it keeps no append-only file; one that has no such thing says nothing */
export async function hasNoLog(link: RedisLink): Promise<boolean> {
  return /^aof_enabled:0\r?$/m.test(String(await link.send("INFO", "persistence")));
}
