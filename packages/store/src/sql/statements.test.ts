import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from "kysely";
import { SQLITE } from "./dialect.ts";
import { compileMigrations } from "./migrations.ts";
import type { Tables } from "./schema.ts";
import type { Statement } from "./statement.ts";
import { statement } from "./statement.ts";
import { compileStatements } from "./statements.ts";

const db = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

/** Read whole by purpose: all of it at start, the oldest rows, the first in an index that holds only a few. */
const SCANS = new Set(["journal.load", "logs.oldest", "activations.unfinished", "versions.sweepBundles"]);

test("every statement is valid, and none walks a table where an index could answer", () => {
  using sqlite = new DatabaseSync(":memory:");
  for (const { statements } of compileMigrations(db, SQLITE)) {
    for (const sql of statements) sqlite.exec(sql);
  }
  const plans = new Map<string, string>();
  for (const [group, statements] of Object.entries(compileStatements(db, SQLITE))) {
    for (const [name, { sql, parameters }] of Object.entries(statements) as [
      string,
      Statement<object, unknown>,
    ][]) {
      const rows = sqlite.prepare(`explain query plan ${sql}`).all(...parameters.map(() => 1));
      plans.set(`${group}.${name}`, rows.map((row) => String(row["detail"])).join("; "));
    }
  }
  for (const [name, plan] of plans) {
    assert.doesNotMatch(plan, /TEMP B-TREE/, `${name} sorts: ${plan}`);
    if (!SCANS.has(name)) assert.doesNotMatch(plan, /SCAN (?!CONSTANT)/, `${name} scans: ${plan}`);
  }
  assert.match(plans.get("activations.pageOfFunction") ?? "", /activations_by_function/);
  assert.match(plans.get("activations.pageOfTenant") ?? "", /activations_by_time/);
  assert.match(plans.get("activations.unfinished") ?? "", /activations_unfinished/);
});

test("a constant cannot slip into a shared statement as a parameter", () => {
  const build = statement<{ tenant: string }>();
  assert.throws(
    () =>
      build((p) =>
        db
          .selectFrom("tokens")
          .select("doc")
          .where("tenant", "=", p.tenant)
          .where("token_id", "=", "constant"),
      ),
    /constant/,
  );
});
