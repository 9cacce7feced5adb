import { type Kysely, sql, type SqlBool } from "kysely";
import type { SqlDialect } from "./dialect.ts";
import type { ActivationGroupPartTable, ActivationGroupTable, Tables } from "./schema.ts";
import { type Placeholders, statement } from "./statement.ts";

/** Where a walk over groups goes on, newest first. */
interface Below {
  beforeMs: number;
  beforeSeq: number;
  sinceMs: number;
  /** 1 to see only groups with failures. */
  failedOnly: number;
  limit: number;
}

/** Statements over groups of ended activations. */
export function groupStatements(db: Kysely<Tables>, { position }: SqlDialect) {
  const walk = (p: Placeholders<Below>) =>
    db
      .selectFrom("activation_group_parts")
      .select(["group_seq", "last_ms"])
      .where(sql<SqlBool>`(last_ms, group_seq) < (${p.beforeMs}, ${p.beforeSeq})`)
      .where("last_ms", ">=", p.sinceMs)
      .where(sql<SqlBool>`failed >= ${p.failedOnly}`)
      .orderBy("last_ms", "desc")
      .orderBy("group_seq", "desc")
      .limit(p.limit);
  return {
    append: statement<Omit<ActivationGroupTable, "seq">>()((p) =>
      db
        .insertInto("activation_groups")
        .values({ first_ms: p.first_ms, last_ms: p.last_ms, ends: p.ends, doc: p.doc })
        .returning("seq"),
    ),
    appendPart: statement<ActivationGroupPartTable>()((p) =>
      db.insertInto("activation_group_parts").values({
        group_seq: p.group_seq,
        tenant: p.tenant,
        namespace: p.namespace,
        function: p.function,
        first_ms: p.first_ms,
        last_ms: p.last_ms,
        failed: p.failed,
      }),
    ),
    /** The group that holds an id made at a moment; groups that begin before `floorMs` end before it. */
    holding: statement<{ id: string; madeMs: number; floorMs: number }>()((p) =>
      db
        .selectFrom("activation_groups")
        .select(["seq", "doc"])
        .where("first_ms", "<=", p.madeMs)
        .where("first_ms", ">=", p.floorMs)
        .where("last_ms", ">=", p.madeMs)
        .where(sql<SqlBool>`${sql.raw(position)}(doc, ${p.id}) > 0`)
        .limit(sql.lit(1)),
    ),
    doc: statement<{ seq: number }>()((p) =>
      db.selectFrom("activation_groups").select("doc").where("seq", "=", p.seq),
    ),
    ofTenant: statement<Below & { tenant: string }>()((p) => walk(p).where("tenant", "=", p.tenant)),
    ofFunction: statement<Below & Record<"tenant" | "namespace" | "function", string>>()((p) =>
      walk(p)
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("function", "=", p.function),
    ),
    outlived: statement<{ beforeMs: number; limit: number }>()((p) =>
      db
        .selectFrom("activation_groups")
        .select(["seq", "ends"])
        .where("first_ms", "<", p.beforeMs)
        .where("last_ms", "<", p.beforeMs)
        .orderBy("first_ms")
        .limit(p.limit),
    ),
    remove: statement<{ seq: number }>()((p) => db.deleteFrom("activation_groups").where("seq", "=", p.seq)),
    removeParts: statement<{ seq: number }>()((p) =>
      db.deleteFrom("activation_group_parts").where("group_seq", "=", p.seq),
    ),
  };
}
