import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HELLO, sampleFunction } from "../contract-suite/samples.ts";
import { type PostgresServer, startPostgres } from "../testing/index.ts";
import { createPostgresStore } from "./postgres-store.ts";
import { describeWithPostgres } from "./testing/with-postgres.ts";

describeWithPostgres("a database in PostgreSQL", () => {
  let server: PostgresServer;
  before(async () => void (server = await startPostgres()));
  after(() => server[Symbol.asyncDispose]());

  test("is kept over restarts of the platform", async () => {
    const { url } = server.database();
    for (let start = 0; start < 2; start++) {
      await using store = await createPostgresStore({ url });
      if (start === 0) await store.functions.create(sampleFunction());
      assert.deepEqual(await store.functions.get(HELLO), sampleFunction());
    }
  });

  test("of a newer release is refused and left alone", async () => {
    const { url, name } = server.database();
    await (await createPostgresStore({ url }))[Symbol.asyncDispose]();
    server.sql(name, "insert into schema_migrations values (70, 'from the future', 0)");
    await assert.rejects(createPostgresStore({ url }), {
      code: "CS_STORE_UNAVAILABLE",
      message: /schema version 70.*newer release/,
    });
  });

  test("that is not there, or whose server is not, is named without its password", async () => {
    const missing = `postgres://sous:hunter2@127.0.0.1:${server.port}/nowhere`;
    for (const url of [missing, "postgres://sous:hunter2@127.0.0.1:1/nowhere"]) {
      const error = await createPostgresStore({ url }).then(
        () => assert.fail("opened"),
        (cause: Error) => cause,
      );
      assert.equal((error as { code?: string }).code, "CS_STORE_UNAVAILABLE");
      assert.match(error.message, /127\.0\.0\.1:\d+\/nowhere/);
      assert.doesNotMatch(error.message, /hunter2/);
    }
  });

  test("sorts as a language does, which the store's order does not follow", () => {
    assert.equal(server.sql("postgres", "select 'a' < 'B'"), "t");
  });
});
