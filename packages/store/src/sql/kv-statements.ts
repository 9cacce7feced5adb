import { type Kysely, sql, type SqlBool } from "kysely";
import type { KvScope } from "../store.ts";
import type { Tables } from "./schema.ts";
import { type Placeholders, statement } from "./statement.ts";

const visible = (nowMs: Placeholders<{ nowMs: number }>["nowMs"]) =>
  sql<SqlBool>`(expires_at_ms is null or expires_at_ms > ${nowMs})`;

/** Statements over the key-value data of functions and its quota. */
export function kvStatements(db: Kysely<Tables>) {
  return { ...entryStatements(db), ...usageStatements(db) };
}

function entryStatements(db: Kysely<Tables>) {
  return {
    get: statement<KvScope & { key: string; nowMs: number }>()((p) =>
      db
        .selectFrom("kv")
        .select("json")
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("key", "=", p.key)
        .where(visible(p.nowMs)),
    ),
    /**
     * Keys above `after`, from `prefix` on and below `end`, the first key that no longer starts with the prefix
     * (null: there is none). A range instead of `like`: it needs no escapes and walks the index.
     */
    list: statement<
      KvScope & { prefix: string; end: string | null; after: string; nowMs: number; limit: number }
    >()((p) =>
      db
        .selectFrom("kv")
        .select("key")
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("key", ">=", p.prefix)
        .where("key", ">", p.after)
        .where(sql<SqlBool>`(cast(${p.end} as text) is null or key < ${p.end})`)
        .where(visible(p.nowMs))
        .orderBy("key")
        .limit(p.limit),
    ),
    /** Size and end of an entry, also of an expired one. */
    entry: statement<KvScope & { key: string }>()((p) =>
      db
        .selectFrom("kv")
        .select(["bytes", "expires_at_ms"])
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("key", "=", p.key),
    ),
    put: statement<KvScope & { key: string; json: string; bytes: number; expiresAtMs: number | null }>()(
      (p) => {
        const value = { json: p.json, bytes: p.bytes, expires_at_ms: p.expiresAtMs };
        return db
          .insertInto("kv")
          .values({ tenant: p.tenant, namespace: p.namespace, key: p.key, ...value })
          .onConflict((conflict) => conflict.columns(["tenant", "namespace", "key"]).doUpdateSet(value));
      },
    ),
    remove: statement<KvScope & { key: string }>()((p) =>
      db
        .deleteFrom("kv")
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("key", "=", p.key),
    ),
  };
}

function usageStatements(db: Kysely<Tables>) {
  return {
    usage: statement<KvScope>()((p) =>
      db
        .selectFrom("kv_usage")
        .select("bytes")
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace),
    ),
    addUsage: statement<KvScope & { bytes: number }>()((p) =>
      db
        .insertInto("kv_usage")
        .values({ tenant: p.tenant, namespace: p.namespace, bytes: p.bytes })
        .onConflict((conflict) =>
          conflict
            .columns(["tenant", "namespace"])
            .doUpdateSet({ bytes: sql<number>`kv_usage.bytes + excluded.bytes` }),
        ),
    ),
    expired: statement<{ nowMs: number; limit: number }>()((p) =>
      db
        .selectFrom("kv")
        .select(["tenant", "namespace", "key", "bytes"])
        .where("expires_at_ms", "is not", sql.lit(null))
        .where("expires_at_ms", "<=", p.nowMs)
        .limit(p.limit),
    ),
    expiredOf: statement<KvScope & { nowMs: number; limit: number }>()((p) =>
      db
        .selectFrom("kv")
        .select(["tenant", "namespace", "key", "bytes"])
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("expires_at_ms", "is not", sql.lit(null))
        .where("expires_at_ms", "<=", p.nowMs)
        .limit(p.limit),
    ),
  };
}
