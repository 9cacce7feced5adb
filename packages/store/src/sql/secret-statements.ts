import { type Kysely, sql } from "kysely";
import type { KvScope } from "../store.ts";
import type { SecretTable, Tables } from "./schema.ts";
import { statement } from "./statement.ts";

const SHOWN = ["name", "version", "key_id", "created_at_ms", "updated_at_ms"] as const;

/** Statements over sealed secrets. */
export function secretStatements(db: Kysely<Tables>) {
  return {
    /** A first value; `created_at_ms` stays with the row for all that follow. */
    put: statement<Omit<SecretTable, "version">>()((p) =>
      db
        .insertInto("secrets")
        .values({
          tenant: p.tenant,
          namespace: p.namespace,
          name: p.name,
          version: sql.lit(1),
          key_id: p.key_id,
          sealed: p.sealed,
          created_at_ms: p.created_at_ms,
          updated_at_ms: p.updated_at_ms,
        })
        .onConflict((conflict) =>
          conflict.columns(["tenant", "namespace", "name"]).doUpdateSet({
            version: sql<number>`secrets.version + 1`,
            key_id: p.key_id,
            sealed: p.sealed,
            updated_at_ms: p.updated_at_ms,
          }),
        ),
    ),
    get: statement<KvScope & { name: string }>()((p) =>
      db
        .selectFrom("secrets")
        .select([...SHOWN, "sealed"])
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("name", "=", p.name),
    ),
    list: statement<KvScope & { after: string; limit: number }>()((p) =>
      db
        .selectFrom("secrets")
        .select(SHOWN)
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("name", ">", p.after)
        .orderBy("name")
        .limit(p.limit),
    ),
    reseal: statement<KvScope & { name: string; key_id: string; sealed: string; was: string }>()((p) =>
      db
        .updateTable("secrets")
        .set({ key_id: p.key_id, sealed: p.sealed })
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("name", "=", p.name)
        .where("sealed", "=", p.was),
    ),
    scopes: statement<KvScope & { limit: number }>()((p) =>
      db
        .selectFrom("secrets")
        .select(["tenant", "namespace"])
        .distinct()
        .where(sql`(tenant, namespace)`, ">", sql`(${p.tenant}, ${p.namespace})`)
        .orderBy("tenant")
        .orderBy("namespace")
        .limit(p.limit),
    ),
    count: statement<KvScope>()((p) =>
      db
        .selectFrom("secrets")
        .select(sql<number>`count(*)`.as("count"))
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace),
    ),
    remove: statement<KvScope & { name: string }>()((p) =>
      db
        .deleteFrom("secrets")
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("name", "=", p.name),
    ),
  };
}
