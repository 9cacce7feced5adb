import { type Kysely, sql } from "kysely";
import type { Tables } from "./schema.ts";
import { statement } from "./statement.ts";

interface LogKey {
  tenant: string;
  activationId: string;
}

/** Statements over the logs of activations. */
export function logStatements(db: Kysely<Tables>) {
  return {
    /** The first line has the number after the last of the newest row. */
    append: statement<LogKey & { count: number; atMs: number; lines: string }>()((p) =>
      db.insertInto("logs").values({
        tenant: p.tenant,
        activation_id: p.activationId,
        first: sql<number>`coalesce((select "first" + "count" from logs
          where tenant = ${p.tenant} and activation_id = ${p.activationId} order by "first" desc limit 1), 0)`,
        count: p.count,
        at_ms: p.atMs,
        lines: p.lines,
      }),
    ),
    /** Rows from the one that holds line `from` on. A row holds at least one line: `limit` rows are enough. */
    read: statement<LogKey & { from: number; limit: number }>()((p) =>
      db
        .selectFrom("logs")
        .select(["first", "lines"])
        .where("tenant", "=", p.tenant)
        .where("activation_id", "=", p.activationId)
        .where("first", ">=", (eb) =>
          eb
            .selectFrom("logs")
            .select(({ fn }) => fn.coalesce(fn.max("first"), sql.lit(0)).as("first"))
            .where("tenant", "=", p.tenant)
            .where("activation_id", "=", p.activationId)
            .where("first", "<=", p.from),
        )
        .orderBy("first")
        .limit(p.limit),
    ),
    removeOf: statement<LogKey>()((p) =>
      db.deleteFrom("logs").where("tenant", "=", p.tenant).where("activation_id", "=", p.activationId),
    ),
    /** The oldest rows of all, for logs whose activation never got a record. */
    oldest: statement<{ limit: number }>()((p) =>
      db.selectFrom("logs").select(["seq", "at_ms"]).orderBy("seq").limit(p.limit),
    ),
    remove: statement<{ seq: number }>()((p) => db.deleteFrom("logs").where("seq", "=", p.seq)),
  };
}
