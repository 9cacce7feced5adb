import { type Kysely, type RawBuilder, sql } from "kysely";
import type { JournalTable, Tables } from "./schema.ts";
import type { SqlDialect } from "./dialect.ts";
import { statement } from "./statement.ts";

/** One entry of the queue's journal without its place. */
export type JournalRow = Omit<JournalTable, "seq">;

const JOURNAL_COLUMNS = [
  "id",
  "topic",
  "tenant",
  "lane",
  "body_json",
  "attempt",
  "enqueued_at_ms",
  "due_at_ms",
  "expires_at_ms",
  "dead",
  "dead_reason",
] as const satisfies readonly (keyof JournalRow)[];

/** Statements over the queue's journal. */
export function journalStatements(db: Kysely<Tables>, { engine }: SqlDialect) {
  return {
    /** Where a dead letter left the id behind, the newer message takes its place, at the end of the order. */
    append: statement<JournalRow>()((p) => {
      const values = {
        topic: p.topic,
        tenant: p.tenant,
        lane: p.lane,
        body_json: p.body_json,
        attempt: p.attempt,
        enqueued_at_ms: p.enqueued_at_ms,
        due_at_ms: p.due_at_ms,
        expires_at_ms: p.expires_at_ms,
        dead: p.dead,
        dead_reason: p.dead_reason,
      };
      return db
        .insertInto("journal")
        .values({ id: p.id, ...values })
        .onConflict((conflict) => conflict.column("id").doUpdateSet({ ...values, seq: NEXT_PLACE[engine] }));
    }),
    update: statement<
      Pick<JournalRow, "id" | "attempt" | "due_at_ms" | "expires_at_ms" | "dead" | "dead_reason">
    >()((p) =>
      db
        .updateTable("journal")
        .set({
          attempt: p.attempt,
          due_at_ms: p.due_at_ms,
          expires_at_ms: p.expires_at_ms,
          dead: p.dead,
          dead_reason: p.dead_reason,
        })
        .where("id", "=", p.id),
    ),
    remove: statement<{ id: string }>()((p) => db.deleteFrom("journal").where("id", "=", p.id)),
    load: statement<Record<never, never>>()(() =>
      db.selectFrom("journal").select(JOURNAL_COLUMNS).orderBy("seq"),
    ),
  };
}

/** The number an entry would get that is inserted now. */
const NEXT_PLACE: Readonly<Record<SqlDialect["engine"], RawBuilder<number>>> = {
  sqlite: sql`(select max(seq) + 1 from journal)`,
  postgres: sql`nextval(pg_get_serial_sequence('journal', 'seq'))`,
};
