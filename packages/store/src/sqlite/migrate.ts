import type { DatabaseSync } from "node:sqlite";
import type { Migration } from "../sql/migrations.ts";
import { Refusal } from "../sql/refusal.ts";

/**
 * Brings a database to the newest schema, each step in a transaction of its own. Safe when two processes open
 * a database at once: the version is read under the write lock.
 * @throws Refusal CS_STORE_UNAVAILABLE when the database was written by a newer release
 */
export function migrate(db: DatabaseSync, migrations: readonly Migration[], nowMs: number): void {
  db.exec(
    "create table if not exists schema_migrations (number integer primary key, name text not null, applied_at_ms integer not null)",
  );
  const known = migrations.length;
  for (;;) {
    db.exec("begin immediate");
    try {
      const row = db.prepare("select coalesce(max(number), 0) as number from schema_migrations").get();
      const version = Number(row?.["number"]);
      if (version > known) {
        throw new Refusal(
          "CS_STORE_UNAVAILABLE",
          `The database has schema version ${version}, this release knows ${known} at most; run a newer release`,
        );
      }
      const next = migrations[version];
      if (next === undefined) {
        db.exec("rollback");
        return;
      }
      for (const statement of next.statements) db.exec(statement);
      db.prepare("insert into schema_migrations values (?, ?, ?)").run(next.number, next.name, nowMs);
      db.exec("commit");
    } catch (error) {
      if (db.isTransaction) db.exec("rollback");
      throw error;
    }
  }
}
