import type { Client } from "pg";
import type { Migration } from "../sql/migrations.ts";
import { Refusal } from "../sql/refusal.ts";
import { MIGRATION_LOCK } from "./locks.ts";

/** What the driver keeps for itself: the steps that were taken, and the last batch of each writer (`WriterLink`). */
const OWN_TABLES = `
  create table if not exists schema_migrations
    (number integer primary key, name text not null, applied_at_ms bigint not null);
  create table if not exists store_writers
    (id uuid primary key, batch bigint not null, seen_at timestamptz not null default now())`;

/**
 * Brings a database to the newest schema, each step in a transaction of its own. Safe when several processes start
 * at once: each step is chosen and taken under one advisory lock.
 * @throws Refusal CS_STORE_UNAVAILABLE when the database was written by a newer release
 */
export async function migrate(
  client: Client,
  migrations: readonly Migration[],
  nowMs: number,
): Promise<void> {
  const known = migrations.length;
  for (;;) {
    await client.query("begin");
    try {
      await client.query("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
      await client.query(OWN_TABLES);
      const { rows } = await client.query<{ number: number }>(
        "select coalesce(max(number), 0)::integer as number from schema_migrations",
      );
      const version = rows[0]?.number ?? 0;
      if (version > known) {
        throw new Refusal(
          "CS_STORE_UNAVAILABLE",
          `The database has schema version ${version}, this release knows ${known} at most; run a newer release`,
        );
      }
      const next = migrations[version];
      if (next === undefined) {
        await client.query("commit");
        return;
      }
      for (const statement of next.statements) await client.query(statement);
      const row = [next.number, next.name, nowMs];
      await client.query("insert into schema_migrations values ($1, $2, $3)", row);
      await client.query("commit");
    } catch (error) {
      // A connection that broke has no transaction left, and the error that led here is the one to report.
      await client.query("rollback").catch(() => {});
      throw error;
    }
  }
}
