import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  finished,
  HELLO,
  NOW_MS,
  sampleActivation,
  sampleBundle,
  sampleDraft,
  sampleEntry,
  sampleFunction,
  sampleVersion,
  withCode,
} from "../contract-suite/samples.ts";
import type { Store } from "../store.ts";
import { type PostgresDatabase, type PostgresServer, startPostgres } from "../testing/index.ts";
import { createPostgresStore, type PostgresStoreOptions } from "./postgres-store.ts";
import { describeWithPostgres } from "./testing/with-postgres.ts";

/** What is looked at here is who waits for whom, not for how long: a busy machine is no fault. */
const PATIENCE = { connectMs: 30_000, statementMs: 60_000, answerMs: 70_000 };

/** Two stores stand for two processes: they share nothing but the database. */
describeWithPostgres("several writers of one database in PostgreSQL", () => {
  let server: PostgresServer;
  before(async () => void (server = await startPostgres()));
  after(() => server[Symbol.asyncDispose]());

  async function withTwo(
    body: (a: Store, b: Store, database: PostgresDatabase) => Promise<void>,
    options: Partial<PostgresStoreOptions> = {},
  ): Promise<void> {
    const database = server.database();
    const open = () => createPostgresStore({ url: database.url, patience: PATIENCE, ...options });
    // At once: both find no tables, and one makes them.
    const [a, b] = await Promise.all([open(), open()]);
    await using _a = a;
    await using _b = b;
    await body(a, b, database);
  }

  test("start at once on an empty database, and one takes each step of the schema", async () => {
    const database = server.database();
    const open = () => createPostgresStore({ url: database.url, patience: PATIENCE });
    const stores = await Promise.all(Array.from({ length: 5 }, open));
    await Promise.all(stores.map((store) => store.check()));
    const steps = server.sql(database.name, "select number from schema_migrations order by number");
    assert.equal(steps.split("\n")[0], "1");
    assert.equal(new Set(steps.split("\n")).size, steps.split("\n").length);
    await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
  });

  test("publish at once and every version has a number of its own, without a gap", async () => {
    await withTwo(async (a, b) => {
      await a.functions.create(sampleFunction());
      const drafts = Array.from({ length: 20 }, (_, n) => {
        const bundle = sampleBundle(`bundle ${n % 3}`);
        return { bundle, draft: sampleDraft(bundle) };
      });
      await Promise.all(drafts.map(({ draft, bundle }) => a.drafts.put(HELLO, draft, bundle)));
      const published = await Promise.all(
        drafts.map(({ draft }, n) =>
          (n % 2 === 0 ? a : b).versions.publish({
            key: HELLO,
            draftId: draft.draft_id,
            version: sampleVersion(draft),
            alias: "prod",
            nowMs: NOW_MS,
          }),
        ),
      );
      const numbers = published.map((version) => version.version).toSorted((x, y) => x - y);
      assert.deepEqual(
        numbers,
        Array.from({ length: 20 }, (_, n) => n + 1),
      );
      assert.ok(((await b.aliases.get(HELLO, "prod"))?.version ?? 0) >= 1);
    });
  });

  test("publish one draft at once and one of them does", async () => {
    await withTwo(async (a, b) => {
      await a.functions.create(sampleFunction());
      const bundle = sampleBundle("once");
      const draft = sampleDraft(bundle);
      await a.drafts.put(HELLO, draft, bundle);
      const request = {
        key: HELLO,
        draftId: draft.draft_id,
        version: sampleVersion(draft),
        nowMs: NOW_MS,
      };
      const results = await Promise.allSettled([a.versions.publish(request), b.versions.publish(request)]);
      const refused = results.find((result) => result.status === "rejected");
      assert.equal((refused?.reason as { code?: string } | undefined)?.code, "CS_CONFLICT");
      assert.equal((await a.versions.list(HELLO, { limit: 10 })).items.length, 1);
    });
  });

  test("end an activation at once and one of them made it terminal", async () => {
    await withTwo(async (a, b) => {
      for (let round = 0; round < 3; round++) {
        const records = Array.from({ length: 100 }, () => sampleActivation());
        await Promise.all(records.map((record) => a.activations.create(record)));
        const byA = records.map((record) => a.activations.finish(finished(record)));
        // The other way round: each waits for rows the other has, which the server ends as a deadlock.
        const byB = records.toReversed().map((record) => b.activations.finish(finished(record, "cancelled")));
        const [fromA, fromB] = [await Promise.all(byA), (await Promise.all(byB)).toReversed()];
        for (const [at, { tenant, activation_id: id }] of records.entries()) {
          assert.notEqual(fromA[at], fromB[at], "exactly one");
          const stored = await a.activations.get(tenant, id);
          assert.equal(stored?.status, fromA[at] === true ? "success" : "cancelled");
        }
      }
    });
  });

  test("keep the quota of a namespace together, whose usage nobody has counted yet", async () => {
    await withTwo(
      async (a, b) => {
        const value = JSON.stringify("x".repeat(90));
        const sets = Array.from({ length: 40 }, (_, n) =>
          (n % 2 === 0 ? a : b).kv.set(HELLO, `key-${n}`, value, null),
        );
        const results = await Promise.allSettled(sets);
        const kept = results.filter((result) => result.status === "fulfilled").length;
        const bytes = Buffer.byteLength(value) + "key-00".length;
        assert.ok(kept >= 9 && kept <= Math.floor(1000 / (bytes - 1)), `${kept} of ${bytes} bytes`);
        const { items } = await a.kv.list(HELLO, "", NOW_MS, { limit: 100 });
        assert.equal(items.length, kept);
        for (const result of results) {
          if (result.status === "rejected") assert.equal(result.reason.code, "CS_PAYLOAD_TOO_LARGE");
        }
      },
      { kvNamespaceBytesMax: 1000 },
    );
  });

  test("write to many namespaces in any order without a deadlock", async () => {
    await withTwo(async (a, b) => {
      const scopes = Array.from({ length: 30 }, (_, n) => ({ tenant: "t_default", namespace: `ns${n}` }));
      for (let round = 0; round < 5; round++) {
        await Promise.all([
          ...scopes.map((scope) => a.kv.set(scope, "key", String(round), null)),
          ...scopes.toReversed().map((scope) => b.kv.set(scope, "key", String(round), null)),
        ]);
      }
    });
  });

  test("count the values of a secret one by one", async () => {
    await withTwo(async (a, b) => {
      const puts = Array.from({ length: 20 }, (_, n) =>
        (n % 2 === 0 ? a : b).secrets.put(HELLO, { name: "key", sealed: "s", key_id: "k" }, NOW_MS),
      );
      const versions = (await Promise.all(puts)).map((record) => record.version);
      assert.deepEqual(
        versions.toSorted((x, y) => x - y),
        Array.from({ length: 20 }, (_, n) => n + 1),
      );
    });
  });

  test("append to one log at once and every line has its place", async () => {
    await withTwo(async (a, b) => {
      const id = sampleActivation().activation_id;
      const lines = Array.from({ length: 40 }, (_, n) => `line ${n}`);
      await Promise.all(
        lines.map((line, n) => (n % 2 === 0 ? a : b).logs.append("t_default", id, [line, "-"])),
      );
      const read = await b.logs.read("t_default", id, 0, 1000);
      assert.deepEqual(read.filter((line) => line !== "-").toSorted(), lines.toSorted());
      assert.equal(read.length, 80);
    });
  });

  test("append an entry under an id at once and one entry is there", async () => {
    await withTwo(async (a, b) => {
      const appends = Array.from({ length: 20 }, (_, n) =>
        (n % 2 === 0 ? a : b).journal.append(sampleEntry("msg_1", { attempt: n + 1 })),
      );
      await Promise.all(appends);
      assert.equal((await a.journal.load()).length, 1);
    });
  });

  test("sweep at once and every row is counted once at most", async () => {
    await withTwo(async (a, b) => {
      const records = Array.from({ length: 50 }, () => finished(sampleActivation()));
      await Promise.all(records.map((record) => a.activations.finish(record)));
      const later = NOW_MS + 30 * 24 * 3600 * 1000;
      const counts = await Promise.all([a.sweep(later), b.sweep(later)]);
      assert.equal(counts[0] + counts[1], 50);
    });
  });

  test("find a bundle that is uploaded while another process sweeps it", async () => {
    await withTwo(async (a, b) => {
      await a.functions.create(sampleFunction());
      const bundle = sampleBundle("shared");
      for (let round = 0; round < 15; round++) {
        const old = sampleDraft(bundle, { expires_at_ms: NOW_MS + round });
        await a.drafts.put(HELLO, old, bundle);
        const fresh = sampleDraft(bundle, { expires_at_ms: NOW_MS + 1_000_000 });
        await Promise.all([a.drafts.put(HELLO, fresh, bundle), b.sweep(NOW_MS + round)]);
        assert.ok(await b.drafts.get(HELLO, fresh.draft_id), `round ${round}`);
        await b.sweep(NOW_MS + 2_000_000);
      }
    });
  });

  test("a sole writer keeps others out until it has ended", async () => {
    const database = server.database();
    const open = () => createPostgresStore({ url: database.url, isSoleWriter: true });
    const first = await open();
    await assert.rejects(open(), withCode("CS_CONFLICT"));
    await first.check();
    await first[Symbol.asyncDispose]();
    await (await open())[Symbol.asyncDispose]();
  });
});
