import { type Kysely, sql } from "kysely";
import type { FunctionKey, KvScope } from "../store.ts";
import type { LeaseTable, ScheduleTable, Tables } from "./schema.ts";
import { statement } from "./statement.ts";

const STORED = ["doc", "tick_seq", "next_tick_ms", "due_at_ms", "inflight", "catchup_end_seq"] as const;

type NewSchedule = Omit<ScheduleTable, "generation" | "tick_seq" | "inflight" | "catchup_end_seq">;

/** Statements over schedules. */
export function scheduleStatements(db: Kysely<Tables>) {
  return {
    create: statement<NewSchedule>()((p) =>
      db
        .insertInto("schedules")
        .values({
          tenant: p.tenant,
          namespace: p.namespace,
          name: p.name,
          uid: p.uid,
          generation: sql.lit(1),
          doc: p.doc,
          tick_seq: sql.lit(1),
          next_tick_ms: p.next_tick_ms,
          due_at_ms: p.due_at_ms,
          inflight: sql.lit(null),
          catchup_end_seq: sql.lit(null),
        })
        .onConflict((conflict) => conflict.columns(["tenant", "namespace", "name"]).doNothing()),
    ),
    get: statement<FunctionKey>()((p) =>
      db
        .selectFrom("schedules")
        .select(STORED)
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("name", "=", p.name),
    ),
    list: statement<KvScope & { after: string; limit: number }>()((p) =>
      db
        .selectFrom("schedules")
        .select([...STORED, "name"])
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("name", ">", p.after)
        .orderBy("name")
        .limit(p.limit),
    ),
    count: statement<KvScope>()((p) =>
      db
        .selectFrom("schedules")
        .select(sql<number>`count(*)`.as("count"))
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace),
    ),
    replace: statement<NewSchedule & { generation: number }>()((p) =>
      db
        .updateTable("schedules")
        .set({
          generation: p.generation,
          doc: p.doc,
          tick_seq: sql<number>`tick_seq + 1`,
          next_tick_ms: p.next_tick_ms,
          due_at_ms: p.due_at_ms,
          catchup_end_seq: sql.lit(null),
        })
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("name", "=", p.name)
        .where("uid", "=", p.uid)
        .where(sql<number>`generation + 1`, "=", p.generation),
    ),
    remove: statement<FunctionKey>()((p) =>
      db
        .deleteFrom("schedules")
        .where("tenant", "=", p.tenant)
        .where("namespace", "=", p.namespace)
        .where("name", "=", p.name),
    ),
    /** After a moment and uid, which settles the order of those of one moment. */
    due: statement<{ untilMs: number; afterMs: number; afterUid: string; limit: number }>()((p) =>
      db
        .selectFrom("schedules")
        .select([...STORED, "uid"])
        .where("due_at_ms", "<=", p.untilMs)
        .where(sql`(due_at_ms, uid)`, ">", sql`(${p.afterMs}, ${p.afterUid})`)
        .orderBy("due_at_ms")
        .orderBy("uid")
        .limit(p.limit),
    ),
    advance: statement<FunctionKey & Omit<ScheduleTable, "generation" | "doc"> & { read_seq: number }>()(
      (p) =>
        db
          .updateTable("schedules")
          .set({
            tick_seq: p.tick_seq,
            next_tick_ms: p.next_tick_ms,
            due_at_ms: p.due_at_ms,
            inflight: p.inflight,
            catchup_end_seq: p.catchup_end_seq,
          })
          .where("tenant", "=", p.tenant)
          .where("namespace", "=", p.namespace)
          .where("name", "=", p.name)
          .where("uid", "=", p.uid)
          .where("tick_seq", "=", p.read_seq),
    ),
  };
}

/** Statements over leases. */
export function leaseStatements(db: Kysely<Tables>) {
  return {
    get: statement<{ name: string }>()((p) =>
      db.selectFrom("leases").select(["holder", "epoch", "until_ms"]).where("name", "=", p.name),
    ),
    put: statement<LeaseTable>()((p) =>
      db
        .insertInto("leases")
        .values({ name: p.name, holder: p.holder, epoch: p.epoch, until_ms: p.until_ms })
        .onConflict((conflict) =>
          conflict.column("name").doUpdateSet({ holder: p.holder, epoch: p.epoch, until_ms: p.until_ms }),
        ),
    ),
    renew: statement<{ name: string; epoch: number; untilMs: number }>()((p) =>
      db
        .updateTable("leases")
        .set({ until_ms: p.untilMs })
        .where("name", "=", p.name)
        .where("epoch", "=", p.epoch),
    ),
    /** The epoch goes on at once, so that nothing of the term that is over passes any more. */
    release: statement<{ name: string; epoch: number }>()((p) =>
      db
        .updateTable("leases")
        .set({ holder: sql.lit(""), until_ms: sql.lit(0), epoch: sql<number>`epoch + 1` })
        .where("name", "=", p.name)
        .where("epoch", "=", p.epoch),
    ),
  };
}
