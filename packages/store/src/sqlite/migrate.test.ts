import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { HELLO, NOW_MS, sampleFunction } from "../contract-suite/samples.ts";
import { migrate } from "./migrate.ts";
import { createSqliteStore } from "./sqlite-store.ts";

const folder = mkdtempSync(join(tmpdir(), "store-migrate-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

test("a database is kept over restarts and remembers its schema version", async () => {
  const path = join(folder, "kept.db");
  for (let start = 0; start < 2; start++) {
    await using store = await createSqliteStore({ path });
    if (start === 0) await store.functions.create(sampleFunction());
    assert.deepEqual(await store.functions.get(HELLO), sampleFunction());
  }
  using db = new DatabaseSync(path);
  const rows = db.prepare("select number, name from schema_migrations").all();
  assert.deepEqual(
    rows.map((row) => [row["number"], row["name"]]),
    [
      [1, "initial"],
      [2, "activation groups"],
      [3, "secrets"],
      [4, "schedules"],
      [5, "resources"],
      [6, "audit events"],
    ],
  );
});

test("a database of a newer release is refused and left alone", async () => {
  const path = join(folder, "newer.db");
  await (await createSqliteStore({ path }))[Symbol.asyncDispose]();
  const db = new DatabaseSync(path);
  db.exec("insert into schema_migrations values (7, 'from the future', 0)");
  db.close();
  await assert.rejects(createSqliteStore({ path }), {
    code: "CS_STORE_UNAVAILABLE",
    message: /schema version 7.*knows 6 at most.*newer release/,
  });
});

test("a file that is no database is refused and left alone", async () => {
  const path = join(folder, "notes.txt");
  writeFileSync(path, "not a database, but somebody's notes\n".repeat(200));
  await assert.rejects(createSqliteStore({ path }), {
    code: "CS_STORE_UNAVAILABLE",
    message: /not a SQLite database/,
  });
});

test("a path that cannot be made is refused", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  const open = createSqliteStore({ path: join(file, "sous.db") });
  await assert.rejects(open, { code: "CS_STORE_UNAVAILABLE", message: /Cannot make/ });
});

test("steps run once each, in order, and a failing step leaves the one before", () => {
  using db = new DatabaseSync(":memory:");
  const first = { number: 1, name: "first", statements: ["create table a (x)", "insert into a values (1)"] };
  const second = { number: 2, name: "second", statements: ["insert into a values (2)"] };
  const broken = { number: 3, name: "broken", statements: ["insert into a values (3)", "nonsense"] };
  migrate(db, [first], NOW_MS);
  migrate(db, [first, second], NOW_MS);
  assert.throws(() => migrate(db, [first, second, broken], NOW_MS), /nonsense/);
  assert.equal(db.isTransaction, false);
  const rows = db.prepare("select x from a").all();
  assert.deepEqual(
    rows.map((row) => row["x"]),
    [1, 2],
  );
});
