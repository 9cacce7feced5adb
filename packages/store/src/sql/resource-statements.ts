import { type Kysely, sql } from "kysely";
import type { FunctionKey, KvScope } from "../store.ts";
import type { ResourceTable, Tables } from "./schema.ts";
import { statement } from "./statement.ts";

type Kind = { kind: string };

const STORED = ["tenant", "namespace", "name", "generation", "doc"] as const;

/** Statements over named things that are only text to the store. */
export function resourceStatements(db: Kysely<Tables>) {
  return {
    create: statement<Omit<ResourceTable, "generation">>()((p) =>
      db
        .insertInto("resources")
        .values({
          kind: p.kind,
          tenant: p.tenant,
          namespace: p.namespace,
          name: p.name,
          generation: sql.lit(1),
          doc: p.doc,
        })
        .onConflict((conflict) => conflict.columns(["kind", "tenant", "namespace", "name"]).doNothing()),
    ),
    get: statement<Kind & FunctionKey>()((p) =>
      db
        .selectFrom("resources")
        .select(STORED)
        .where("kind", "=", p.kind)
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("name", "=", p.name),
    ),
    count: statement<Kind & KvScope>()((p) =>
      db
        .selectFrom("resources")
        .select(sql<number>`count(*)`.as("count"))
        .where("kind", "=", p.kind)
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace),
    ),
    list: statement<Kind & KvScope & { after: string; limit: number }>()((p) =>
      db
        .selectFrom("resources")
        .select(STORED)
        .where("kind", "=", p.kind)
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("name", ">", p.after)
        .orderBy("name")
        .limit(p.limit),
    ),
    all: statement<Kind & FunctionKey & { limit: number }>()((p) =>
      db
        .selectFrom("resources")
        .select(STORED)
        .where("kind", "=", p.kind)
        .where(sql`(tenant, namespace, name)`, ">", sql`(${p.tenant}, ${p.namespace}, ${p.name})`)
        .orderBy("tenant")
        .orderBy("namespace")
        .orderBy("name")
        .limit(p.limit),
    ),
    replace: statement<ResourceTable>()((p) =>
      db
        .updateTable("resources")
        .set({ generation: sql<number>`generation + 1`, doc: p.doc })
        .where("kind", "=", p.kind)
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("name", "=", p.name)
        .where("generation", "=", p.generation),
    ),
    /** @param generation 0 for any */
    remove: statement<Kind & FunctionKey & { generation: number }>()((p) =>
      db
        .deleteFrom("resources")
        .where("kind", "=", p.kind)
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("name", "=", p.name)
        .where(
          sql`case when ${p.generation} = 0 then generation else ${p.generation} end`,
          "=",
          sql.ref("generation"),
        ),
    ),
  };
}
