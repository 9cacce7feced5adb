import { invalidUrl, parseRedisAddress, type RedisAddress } from "@sous/store/redis-link";

const WHAT = "the queue's URL";
const SHARDS_MAX = 64;

/** Where the server is, and how the queue lies in it. */
export interface RedisTarget {
  address: RedisAddress;
  /** What the names of all keys begin with (`cs:codeq:`). */
  prefix: string;
  /** Into how many parts tenants are spread (1). */
  shards: number;
}

/**
 * Reads `redis[s]://[user:password@]host[:port][/db][?prefix=…&shards=…]`.
 * @throws CS_VALIDATION_FAILED naming what is wrong with it, never showing the password
 */
export function parseRedisUrl(text: string): RedisTarget {
  const { address, settings } = parseRedisAddress(text, WHAT, ["prefix", "shards"]);
  const prefix = settings.get("prefix") ?? "cs:codeq:";
  if (!/^[\w:.-]{1,64}$/.test(prefix)) {
    throw invalidUrl(WHAT, "has a prefix that is not 1–64 of A-Z a-z 0-9 _ : . -");
  }
  const shards = Number(settings.get("shards") ?? 1);
  if (!Number.isInteger(shards) || shards < 1 || shards > SHARDS_MAX) {
    throw invalidUrl(WHAT, `has shards that are not 1–${SHARDS_MAX}`);
  }
  return { address, prefix, shards };
}
