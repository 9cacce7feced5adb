import { type Kysely, sql, type SqlBool } from "kysely";
import type { FunctionKey } from "../store.ts";
import type { Tables } from "./schema.ts";
import { type Placeholders, statement } from "./statement.ts";

/** The condition that names one function in any of the tables that start with its key. */
export const ofFunction = (p: Placeholders<FunctionKey>) =>
  sql<SqlBool>`tenant = ${p.tenant} and namespace = ${p.namespace} and name = ${p.name}`;

const ALIAS_COLUMNS = ["alias", "version", "weights", "updated_at_ms"] as const;

/** Statements over functions and their aliases. */
export function functionStatements(db: Kysely<Tables>) {
  return { ...functionRowStatements(db), ...aliasStatements(db) };
}

function functionRowStatements(db: Kysely<Tables>) {
  return {
    /** Inserts, or revives a deleted one; changes nothing where an active one has the name. */
    create: statement<FunctionKey & { doc: string }>()((p) =>
      db
        .insertInto("functions")
        .values({
          tenant: p.tenant,
          namespace: p.namespace,
          name: p.name,
          version_seq: sql.lit(0),
          deleted_at_ms: sql.lit(null),
          doc: p.doc,
        })
        .onConflict((conflict) =>
          conflict
            .columns(["tenant", "namespace", "name"])
            .doUpdateSet({ doc: p.doc, deleted_at_ms: sql.lit(null) })
            .where("functions.deleted_at_ms", "is not", sql.lit(null)),
        ),
    ),
    get: statement<FunctionKey>()((p) =>
      db.selectFrom("functions").select(["deleted_at_ms", "doc"]).where(ofFunction(p)),
    ),
    /** By name from after `after` on; `includeDeleted` is 0 or 1. */
    list: statement<{
      tenant: string;
      namespace: string;
      after: string;
      includeDeleted: number;
      limit: number;
    }>()((p) =>
      db
        .selectFrom("functions")
        .select(["name", "deleted_at_ms", "doc"])
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("name", ">", p.after)
        .where(sql<SqlBool>`(deleted_at_ms is null or ${p.includeDeleted} = 1)`)
        .orderBy("name")
        .limit(p.limit),
    ),
    softDelete: statement<FunctionKey & { deletedAtMs: number }>()((p) =>
      db
        .updateTable("functions")
        .set({ deleted_at_ms: p.deletedAtMs })
        .where(ofFunction(p))
        .where("deleted_at_ms", "is", sql.lit(null)),
    ),
    /** The version sequence of an active function; no row for a missing or deleted one. */
    activeSequence: statement<FunctionKey>()((p) =>
      db
        .selectFrom("functions")
        .select("version_seq")
        .where(ofFunction(p))
        .where("deleted_at_ms", "is", sql.lit(null)),
    ),
    setSequence: statement<FunctionKey & { version: number }>()((p) =>
      db.updateTable("functions").set({ version_seq: p.version }).where(ofFunction(p)),
    ),
  };
}

function aliasStatements(db: Kysely<Tables>) {
  return {
    setAlias: statement<
      FunctionKey & { alias: string; version: number; weights: string | null; updatedAtMs: number }
    >()((p) => {
      const target = { version: p.version, weights: p.weights, updated_at_ms: p.updatedAtMs };
      return db
        .insertInto("aliases")
        .values({ tenant: p.tenant, namespace: p.namespace, name: p.name, alias: p.alias, ...target })
        .onConflict((conflict) =>
          conflict.columns(["tenant", "namespace", "name", "alias"]).doUpdateSet(target),
        );
    }),
    getAlias: statement<FunctionKey & { alias: string }>()((p) =>
      db.selectFrom("aliases").select(ALIAS_COLUMNS).where(ofFunction(p)).where("alias", "=", p.alias),
    ),
    listAliases: statement<FunctionKey>()((p) =>
      db.selectFrom("aliases").select(ALIAS_COLUMNS).where(ofFunction(p)).orderBy("alias"),
    ),
    deleteAlias: statement<FunctionKey & { alias: string }>()((p) =>
      db.deleteFrom("aliases").where(ofFunction(p)).where("alias", "=", p.alias),
    ),
  };
}
