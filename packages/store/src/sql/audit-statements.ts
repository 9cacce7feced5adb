import { type Kysely, sql, type SqlBool } from "kysely";
import type { AuditStretch } from "../audit-walk.ts";
import type { Tables } from "./schema.ts";
import { statement } from "./statement.ts";

interface Id {
  tenant: string;
  id: string;
}

/** Statements over audit events. */
export function auditStatements(db: Kysely<Tables>) {
  return {
    begin: statement<Id & { at_ms: number; doc: string }>()((p) =>
      db
        .insertInto("audit_events")
        .values({ tenant: p.tenant, id: p.id, at_ms: p.at_ms, doc: p.doc, end_doc: sql.lit(null) })
        .onConflict((conflict) => conflict.columns(["tenant", "id"]).doNothing()),
    ),
    end: statement<Id & { doc: string }>()((p) =>
      db
        .updateTable("audit_events")
        .set({ end_doc: p.doc })
        .where("tenant", "=", p.tenant)
        .where("id", "=", p.id)
        .where("end_doc", "is", sql.lit(null)),
    ),
    list: statement<AuditStretch>()((p) =>
      db
        .selectFrom("audit_events")
        .select(["doc", "end_doc"])
        .where("tenant", "=", p.tenant)
        .where(sql<SqlBool>`(at_ms, id) < (${p.beforeMs}, ${p.beforeId})`)
        .where("at_ms", ">=", p.floorMs)
        .orderBy("at_ms", "desc")
        .orderBy("id", "desc")
        .limit(p.limit),
    ),
    oldest: statement<{ beforeMs: number; limit: number }>()((p) =>
      db
        .selectFrom("audit_events")
        .select(["tenant", "id"])
        .where("at_ms", "<", p.beforeMs)
        .orderBy("at_ms")
        .limit(p.limit),
    ),
    remove: statement<Id>()((p) =>
      db.deleteFrom("audit_events").where("tenant", "=", p.tenant).where("id", "=", p.id),
    ),
  };
}
