import { PlatformError } from "@sous/contract";
import { checkLimit, decodeCursor, pageOf } from "../cursor.ts";
import type { KvScope, KvStore } from "../store.ts";
import type { Access } from "./access.ts";
import { SEPARATOR, type StoreKeys } from "./store-keys.ts";

/** Ends every range of texts that begin alike: no UTF-8 holds this byte. */
const PAST_UTF8 = Buffer.of(0xff);

/** @returns the keys of a namespace's data, in the order of `lua/kv.lua` */
export const kvKeys = (keys: StoreKeys, scope: KvScope): string[] => [
  keys.kvValues(scope),
  keys.kvKeys(scope),
  keys.kvEnds(scope),
  keys.kvBytes(scope),
  keys.kvExpiring,
];

/** @returns how the index of namespaces with ends names one */
const memberOf = ({ tenant, namespace }: KvScope): string => `${tenant}${SEPARATOR}${namespace}`;

/** Key-value data in Redis. */
export function createKvStore(access: Access, quota: { namespaceBytesMax: number }): KvStore {
  const { reader, writer, keys, scripts, now } = access;
  return {
    async get(scope, key, nowMs) {
      if (!key.isWellFormed()) return undefined;
      const touched = [keys.kvValues(scope), keys.kvEnds(scope)];
      return (await reader.run<string | null>(scripts.kvGet, touched, [key, nowMs])) ?? undefined;
    },
    async set(scope, key, json, expiresAtMs) {
      if (!key.isWellFormed()) {
        // Half a surrogate pair cannot be stored as UTF-8: two such keys would become one.
        throw new PlatformError("CS_VALIDATION_FAILED", "A key must be well-formed Unicode; encode it first");
      }
      const args = [memberOf(scope), key, json, expiresAtMs ?? "", quota.namespaceBytesMax, now()];
      await writer.write("kvSet", kvKeys(keys, scope), args);
    },
    async delete(scope, key) {
      if (!key.isWellFormed()) return false;
      return (await writer.write("kvDelete", kvKeys(keys, scope), [memberOf(scope), key, now()])) === 1;
    },
    async list(scope, prefix, nowMs, page) {
      checkLimit(page);
      const [after] = decodeCursor(page, [""]);
      const found: string[] = [];
      const begin = Buffer.from(prefix);
      const end = begin.length === 0 ? "+" : Buffer.concat([Buffer.from("("), begin, PAST_UTF8]);
      let from = lowerBound(begin, Buffer.from(after));
      const limit = page.limit + 1;
      for (;;) {
        const range = [from, end, "LIMIT", 0, limit];
        const names = await reader.send<string[]>("ZRANGEBYLEX", keys.kvKeys(scope), range);
        if (names.length > 0) {
          const ends = await reader.send<(string | null)[]>("ZMSCORE", keys.kvEnds(scope), names);
          found.push(...names.filter((_, at) => !isOver(ends[at], nowMs)));
        }
        const last = names.at(-1);
        if (last === undefined || names.length < limit || found.length >= limit) break;
        from = `(${last}`;
      }
      return pageOf(
        found,
        page.limit,
        (name) => name,
        (name) => [name],
      );
    },
  };
}

const isOver = (end: string | null | undefined, nowMs: number): boolean =>
  end !== null && end !== undefined && Number(end) <= nowMs;

/** From the prefix on, or from after a key where that comes later. */
function lowerBound(prefix: Buffer, after: Buffer): string | Buffer {
  if (after.length > 0 && after.compare(prefix) >= 0) return Buffer.concat([Buffer.from("("), after]);
  return prefix.length === 0 ? "-" : Buffer.concat([Buffer.from("["), prefix]);
}
