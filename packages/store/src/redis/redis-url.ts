import { invalidUrl, parseRedisAddress, type RedisAddress } from "../redis-link/index.ts";

const WHAT = "the store's URL";
/** One hash tag at most, which then holds something: all names share it. */
const PREFIX = /^(?=.{1,64}$)[\w:.-]*(\{[\w:.-]+\}[\w:.-]*)?$/;

/**
 * Reads `redis[s]://[user:password@]host[:port][/db][?prefix=…]`.
 * @throws CS_VALIDATION_FAILED naming what is wrong with it, never showing the password
 */
export function parseStoreUrl(text: string): { address: RedisAddress; prefix: string } {
  const { address, settings } = parseRedisAddress(text, WHAT, ["prefix"]);
  const prefix = settings.get("prefix") ?? "cs:";
  if (!PREFIX.test(prefix)) {
    throw invalidUrl(WHAT, "has a prefix that is not 1–64 of A-Z a-z 0-9 _ : . - with one {tag} at most");
  }
  return { address, prefix };
}
