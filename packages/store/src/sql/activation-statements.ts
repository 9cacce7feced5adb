import { type Kysely, sql, type SqlBool } from "kysely";
import type { Tables } from "./schema.ts";
import { type Placeholders, statement } from "./statement.ts";

/** Columns of one activation as its writers give them. */
export interface ActivationRow {
  tenant: string;
  id: string;
  namespace: string;
  function: string;
  status: string;
  trigger: string;
  attempt: number;
  enqueued_at_ms: number;
  doc: string;
}

/** A stretch of the time index, newest first: from below `before` down to `floor`, both pairs of time and `seq`. */
interface Stretch {
  beforeMs: number;
  beforeSeq: number;
  floorMs: number;
  floorSeq: number;
}

/** What is looked at row by row; null admits everything. */
interface Residual {
  namespace: string | null;
  function: string | null;
  status: string | null;
  trigger: string | null;
}

type Path = Record<"tenant" | "namespace" | "function", string>;

/** The index `activations_unfinished` serves a query only when it repeats the index's condition to the letter. */
const UNFINISHED = sql<SqlBool>`status in ('queued', 'running')`;

const columnsOf = (p: Placeholders<ActivationRow>) => ({
  tenant: p.tenant,
  id: p.id,
  namespace: p.namespace,
  function: p.function,
  status: p.status,
  trigger: p.trigger,
  attempt: p.attempt,
  enqueued_at_ms: p.enqueued_at_ms,
  doc: p.doc,
});

/** Statements over activation records. */
export function activationStatements(db: Kysely<Tables>) {
  return {
    create: statement<ActivationRow>()((p) =>
      db
        .insertInto("activations")
        .values(columnsOf(p))
        .onConflict((conflict) => conflict.columns(["tenant", "id"]).doNothing()),
    ),
    /** Indexed columns but `status` never change, so an update leaves the big indexes alone. */
    update: statement<Pick<ActivationRow, "tenant" | "id" | "status" | "attempt" | "doc">>()((p) =>
      db
        .updateTable("activations")
        .set({ status: p.status, attempt: p.attempt, doc: p.doc })
        .where("tenant", "=", p.tenant)
        .where("id", "=", p.id)
        .where("attempt", "<=", p.attempt)
        .where(UNFINISHED),
    ),
    /** The compare-and-set of the terminal record, as one statement: insert, or win over an unfinished one. */
    finish: statement<ActivationRow>()((p) =>
      db
        .insertInto("activations")
        .values(columnsOf(p))
        .onConflict((conflict) =>
          conflict
            .columns(["tenant", "id"])
            .doUpdateSet((eb) => ({
              status: eb.ref("excluded.status"),
              attempt: eb.ref("excluded.attempt"),
              doc: eb.ref("excluded.doc"),
            }))
            .where(sql<SqlBool>`activations.status in ('queued', 'running')`)
            .whereRef("activations.attempt", "<=", "excluded.attempt"),
        ),
    ),
    get: statement<{ tenant: string; id: string }>()((p) =>
      db.selectFrom("activations").select("doc").where("tenant", "=", p.tenant).where("id", "=", p.id),
    ),
    unfinished: statement<{ limit: number }>()((p) =>
      db
        .selectFrom("activations")
        .select("doc")
        .where(UNFINISHED)
        .orderBy("enqueued_at_ms")
        .orderBy("seq")
        .limit(p.limit),
    ),
    ...listStatements(db),
    ...sweepStatements(db),
  };
}

/**
 * Lists walk one of two indexes in stretches of bounded length: `edge…` finds where a stretch ends from the
 * index alone, `page…` reads the rows of it that pass the residual filter.
 */
function listStatements(db: Kysely<Tables>) {
  // One bound on either side: SQLite uses one of several for the index and tests the others row by row.
  const stretch = (p: Placeholders<Stretch>) =>
    sql<SqlBool>`(enqueued_at_ms, seq) < (${p.beforeMs}, ${p.beforeSeq})
      and (enqueued_at_ms, seq) >= (${p.floorMs}, ${p.floorSeq})`;
  const passes = (p: Placeholders<Residual>) =>
    sql<SqlBool>`(cast(${p.namespace} as text) is null or namespace = ${p.namespace})
      and (cast(${p.function} as text) is null or function = ${p.function})
      and (cast(${p.status} as text) is null or status = ${p.status})
      and (cast(${p.trigger} as text) is null or "trigger" = ${p.trigger})`;
  const ofPath = (p: Placeholders<Path>) =>
    sql<SqlBool>`tenant = ${p.tenant} and namespace = ${p.namespace} and function = ${p.function}`;
  const edge = () =>
    db
      .selectFrom("activations")
      .select(["enqueued_at_ms", "seq"])
      .orderBy("enqueued_at_ms", "desc")
      .orderBy("seq", "desc")
      .limit(sql.lit(1));
  const page = () =>
    db
      .selectFrom("activations")
      .select(["enqueued_at_ms", "seq", "doc"])
      .orderBy("enqueued_at_ms", "desc")
      .orderBy("seq", "desc");
  return {
    edgeOfTenant: statement<Stretch & { tenant: string; length: number }>()((p) =>
      edge().where("tenant", "=", p.tenant).where(stretch(p)).offset(p.length),
    ),
    edgeOfFunction: statement<Stretch & Path & { length: number }>()((p) =>
      edge().where(ofPath(p)).where(stretch(p)).offset(p.length),
    ),
    pageOfTenant: statement<Stretch & Residual & { tenant: string; limit: number }>()((p) =>
      page().where("tenant", "=", p.tenant).where(stretch(p)).where(passes(p)).limit(p.limit),
    ),
    pageOfFunction: statement<Stretch & Path & Pick<Residual, "status" | "trigger"> & { limit: number }>()(
      (p) =>
        page()
          .where(ofPath(p))
          .where(stretch(p))

          .where(
            sql<SqlBool>`(cast(${p.status} as text) is null or status = ${p.status})
            and (cast(${p.trigger} as text) is null or "trigger" = ${p.trigger})`,
          )
          .limit(p.limit),
    ),
  };
}

/** Sweeping goes tenant by tenant, so that no index by time alone has to be kept on the hot path. */
function sweepStatements(db: Kysely<Tables>) {
  return {
    tenantAfter: statement<{ tenant: string }>()((p) =>
      db
        .selectFrom("activations")
        .select((eb) => eb.fn.min("tenant").as("tenant"))
        .where("tenant", ">", p.tenant),
    ),
    outlived: statement<{ tenant: string; beforeMs: number; limit: number }>()((p) =>
      db
        .selectFrom("activations")
        .select(["seq", "id"])
        .where("tenant", "=", p.tenant)
        .where("enqueued_at_ms", "<", p.beforeMs)
        .where(sql<SqlBool>`status not in ('queued', 'running')`)
        .orderBy("enqueued_at_ms")
        .limit(p.limit),
    ),
    remove: statement<{ seq: number }>()((p) => db.deleteFrom("activations").where("seq", "=", p.seq)),
  };
}
