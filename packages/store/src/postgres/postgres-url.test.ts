import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePostgresUrl, shownTarget } from "./postgres-url.ts";

test("a URL says where the database is and how many connections it gets", () => {
  const target = parsePostgresUrl("postgresql://ada:p%40ss@db.example:6543/sous?pool=25");
  assert.deepEqual(target, {
    host: "db.example",
    port: 6543,
    database: "sous",
    user: "ada",
    password: "p@ss",
    pool: 25,
    ssl: false,
  });
  assert.equal(shownTarget(target), "db.example:6543/sous");
  const short = parsePostgresUrl("postgres://ada@[::1]");
  assert.deepEqual([short.host, short.port, short.database, short.pool], ["::1", 5432, "ada", 10]);
});

test("modes of TLS are those of libpq", () => {
  const sslOf = (query: string) => parsePostgresUrl(`postgres://ada@db/sous?${query}`).ssl;
  assert.equal(sslOf("sslmode=disable"), false);
  assert.deepEqual(sslOf("sslmode=require"), { rejectUnauthorized: false });
  assert.deepEqual(sslOf("sslmode=verify-full"), {});
  assert.throws(() => sslOf("sslmode=prefer"), { code: "CS_VALIDATION_FAILED", message: /sslmode/ });
  assert.throws(() => sslOf("sslrootcert=/missing"), {
    code: "CS_VALIDATION_FAILED",
    message: /sslrootcert/,
  });
});

test("what makes no sense is refused, and no message shows the password", () => {
  const bad = [
    "http://ada:hunter2@db/sous",
    "postgres://ada:hunter2@/sous",
    "postgres://:hunter2@db/sous",
    "postgres://ada:hunter2@db/sous?pool=1",
    "postgres://ada:hunter2@db/sous?pool=many",
    "postgres://ada:hunter2@db/sous?options=-c",
    "postgres://ada:hunter2%@db/sous",
  ];
  for (const url of bad) {
    assert.throws(
      () => parsePostgresUrl(url),
      (error: Error & { code?: string }) =>
        error.code === "CS_VALIDATION_FAILED" && !error.message.includes("hunter2"),
      url,
    );
  }
});
