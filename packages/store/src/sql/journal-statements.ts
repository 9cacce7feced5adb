import type { Kysely } from "kysely";
import type { JournalTable, Tables } from "./schema.ts";
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
export function journalStatements(db: Kysely<Tables>) {
  return {
    append: statement<JournalRow>()((p) =>
      db
        .insertInto("journal")
        .values({
          id: p.id,
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
        })
        .onConflict((conflict) => conflict.column("id").doNothing()),
    ),
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
