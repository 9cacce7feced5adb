import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { HELLO, NOW_MS, publishSample, sampleFunction } from "../contract-suite/samples.ts";
import type { Store } from "../store.ts";
import { KIND_NAMES, KINDS } from "./kinds.ts";
import { type MigrateOptions, type MigrateReport, migrateStore } from "./migrate-store.ts";
import { openStoreEnd } from "./open-end.ts";
import type { StoreEnd } from "./store-end.ts";
import { fillStore, readSample, type Sample } from "./testing/sample-store.ts";
import { type Engine, type Engines, missingEngine, startEngines } from "./testing/stores.ts";

const ALL: readonly Engine[] = ["sqlite", "postgres", "redis"];
const now = Date.now;

type Change = Partial<MigrateOptions> & { wrap?: (to: StoreEnd) => StoreEnd };

async function migrate(
  fromUrl: string,
  toUrl: string,
  { wrap, ...options }: Change = {},
): Promise<MigrateReport> {
  await using from = await openStoreEnd({ url: fromUrl, as: "source", now });
  await using to = await openStoreEnd({ url: toUrl, as: "target", now });
  return await migrateStore({ from, to: wrap?.(to) ?? to, ...options });
}

const sumOf = ({ kinds }: MigrateReport, what: "rows" | "written" | "same" | "kept"): number =>
  kinds.reduce((sum, kind) => sum + kind[what], 0);

void describe("migration", () => {
  let engines: Engines;
  before(async () => {
    engines = await startEngines();
  });
  after(() => engines[Symbol.asyncDispose]());

  async function filled(engine: Engine): Promise<{ url: string; sample: Sample; content: object }> {
    const url = engines.freshUrl(engine);
    await using store = await engines.openStore(url);
    const sample = await fillStore(store);
    return { url, sample, content: await readSample(store, sample) };
  }
  const within = async <T>(url: string, body: (store: Store) => Promise<T>): Promise<T> => {
    await using store = await engines.openStore(url);
    return await body(store);
  };

  test("all engines are here", (context) => {
    const missing = missingEngine();
    if (missing === undefined) return;
    assert.notEqual(process.env["SOUS_TEST_REQUIRE"], "all", `required, but ${missing}`);
    context.skip(missing);
  });

  for (const source of ALL) {
    for (const target of ALL) {
      test(`from ${source} to ${target} everything arrives, and a second run changes nothing`, async (context) => {
        if (!engines.available.includes(source) || !engines.available.includes(target)) return context.skip();
        const { url, sample, content } = await filled(source);
        const to = engines.freshUrl(target);
        const first = await migrate(url, to);
        assert.equal(sumOf(first, "written"), sumOf(first, "rows"));
        assert.ok(
          first.kinds.every(({ rows }) => rows > 0),
          JSON.stringify(first.kinds),
        );
        assert.deepEqual(await within(to, (store) => readSample(store, sample)), content);

        const second = await migrate(url, to);
        assert.deepEqual([sumOf(second, "written"), sumOf(second, "same")], [0, sumOf(first, "rows")]);
        assert.deepEqual(
          await within(url, (store) => readSample(store, sample)),
          content,
          "the source is as it was",
        );

        await within(to, async (store) => {
          assert.equal(await publishSample(store, HELLO), 4, "numbers of versions go on");
          assert.equal(
            (await store.secrets.put(HELLO, { name: "api_key", sealed: "x", key_id: "k" }, NOW_MS)).version,
            4,
          );
          const { tenant, id } = sample.activations[2] ?? { tenant: "", id: "" };
          await store.logs.append(tenant, id, ["four"]);
          assert.deepEqual(await store.logs.read(tenant, id, 3, 9), ["four"], "lines of logs go on");
          await store.functions.create(
            sampleFunction({ tenant: "t_other1", namespace: "jobs", name: "gone" }),
          );
          assert.ok((await store.sweep(NOW_MS + 4000 * 24 * 3600 * 1000)) > 0, "what is old is swept");
          assert.equal(await store.activations.get(tenant, id), undefined);
        });
      });
    }

    test(`to ${source}: a run that broke off anywhere is taken up again`, async (context) => {
      if (!engines.available.includes(source)) return context.skip();
      const { url, sample, content } = await filled("sqlite");
      const to = engines.freshUrl(source);
      for (const kind of KIND_NAMES) {
        const wrap = (end: StoreEnd): StoreEnd => ({
          ...end,
          async insert(ofKind, rows) {
            if (ofKind !== kind) return await end.insert(ofKind, rows);
            await end.insert(ofKind, rows.slice(0, 1));
            throw new Error("broken off");
          },
          [Symbol.asyncDispose]: async () => {},
        });
        await assert.rejects(migrate(url, to, { wrap }), /broken off/, kind);
      }
      await migrate(url, to);
      assert.deepEqual(await within(to, (store) => readSample(store, sample)), content);
    });

    test(`to ${source}: a target that holds something else is refused, unless both are merged`, async (context) => {
      if (!engines.available.includes(source)) return context.skip();
      const { url } = await filled("sqlite");
      const to = engines.freshUrl(source);
      await within(to, async (store) => {
        await store.functions.create({ ...sampleFunction(), entry: "other.js" });
        await store.functions.create(sampleFunction({ ...HELLO, name: "only-there" }));
        await store.kv.set(HELLO, "plain", '"theirs"', null);
      });
      await assert.rejects(
        migrate(url, to),
        (error: Error & { code?: string; details?: { found: string[] } }) => {
          assert.equal(error.code, "CS_CONFLICT");
          assert.match(error.message, /--merge/);
          assert.deepEqual(error.details?.found.toSorted(), [
            "functions t_default/default/hello",
            "functions t_default/default/only-there",
            "kv t_default/default/plain",
          ]);
          return true;
        },
      );
      await within(to, async (store) =>
        assert.equal(await store.tokens.get("tok1"), undefined, "nothing was written"),
      );
      const merged = await migrate(url, to, { merge: true });
      assert.equal(sumOf(merged, "kept"), 2);
      assert.ok(merged.kept.includes("kv t_default/default/plain"));
      await within(to, async (store) => {
        assert.equal((await store.functions.get(HELLO))?.entry, "other.js");
        assert.equal(await store.kv.get(HELLO, "plain", NOW_MS), '"theirs"');
        assert.equal((await store.tokens.get("tok1"))?.record.sub, "ada");
        assert.ok(await store.functions.get({ ...HELLO, name: "only-there" }));
      });
      assert.equal(sumOf(await migrate(url, to, { merge: true }), "written"), 0);
    });
  }

  for (const target of ALL) {
    test(`to ${target}: what is of the moment is neither brought over nor counted`, async (context) => {
      if (!engines.available.includes(target)) return context.skip();
      const momentary = { momentaryKinds: ["member"] };
      const { url } = await filled("sqlite");
      const to = engines.freshUrl(target);
      const theirs = { tenant: "t_cluster", namespace: "members", name: "m-killed" };
      await within(to, (store) => store.resources.create("member", theirs, "{}", 10));
      await assert.rejects(migrate(url, to), { code: "CS_CONFLICT" }, "without a word it is like any other");
      const report = await migrate(url, to, momentary);
      assert.equal(report.kinds.find(({ kind }) => kind === "resources")?.rows, 1, "the event source");
      assert.deepEqual(
        await within(to, async ({ resources }) =>
          (await resources.all("member", { limit: 9 })).items.map(({ key }) => key.name),
        ),
        ["m-killed"],
      );
      for (const merge of [false, true]) {
        assert.equal(sumOf(await migrate(url, to, { ...momentary, merge }), "written"), 0);
      }
    });
  }

  test("a source that holds nothing is named, as with a prefix that is not its own", async (context) => {
    if (!engines.available.includes("redis")) return context.skip();
    const { url } = await filled("redis");
    const at = new URL(url);
    at.searchParams.set("prefix", "typo:");
    const { warnings } = await migrate(at.href, engines.freshUrl("sqlite"));
    assert.match(warnings.join(), /\(typo:\) holds nothing/);
  });

  test("a dry run says what would be written, and writes nothing", async () => {
    const { url } = await filled("sqlite");
    const to = engines.freshUrl("sqlite");
    const planned = await migrate(url, to, { dryRun: true });
    assert.ok(planned.dry_run);
    assert.equal(sumOf(planned, "written"), sumOf(planned, "rows"));
    await within(to, async (store) => assert.equal(await store.functions.get(HELLO), undefined));
    const done = await migrate(url, to);
    assert.deepEqual(done.kinds, planned.kinds);
  });

  test("activations are left behind, all of them or the old ones", async () => {
    const { url, sample } = await filled("sqlite");
    const [without, young] = [engines.freshUrl("sqlite"), engines.freshUrl("sqlite")];
    const rowsOf = (report: MigrateReport): number[] =>
      report.kinds
        .filter(({ kind }) => ["activations", "groups", "logs"].includes(kind))
        .map(({ rows }) => rows);
    assert.deepEqual(rowsOf(await migrate(url, without, { withoutActivations: true })), [0, 0, 0]);
    // The single records are of the sample's moment, which is long ago; the groups are of now.
    const report = await migrate(url, young, { sinceMs: NOW_MS + 1000 });
    assert.equal(rowsOf(report)[0], 0);
    assert.ok(Number(rowsOf(report)[1]) > 0);
    const { tenant = "", id = "" } = sample.activations[0] ?? {};
    await within(young, async (store) => assert.equal(await store.activations.get(tenant, id), undefined));
    assert.equal(sumOf(await migrate(url, young, { sinceMs: NOW_MS + 1000 }), "written"), 0);
  });

  test("a damaged bundle is not brought over, unless it is found elsewhere", async () => {
    const { url } = await filled("sqlite");
    const { sha256, bytes } = await within(url, async (store) => {
      const version = await store.versions.latest(HELLO);
      assert.ok(version);
      const good = await store.versions.bundle(version.sha256);
      assert.ok(good);
      await store.versions.mendBundle(version.sha256, new Uint8Array(good.byteLength));
      return { sha256: version.sha256, bytes: good };
    });
    const lost = await migrate(url, engines.freshUrl("sqlite"));
    assert.deepEqual(lost.damaged_bundles, [sha256]);
    const to = engines.freshUrl("sqlite");
    const found = await migrate(url, to, {
      findBundle: async (wanted) => (wanted === sha256 ? bytes : undefined),
    });
    assert.deepEqual(found.damaged_bundles, []);
    await within(to, async (store) => assert.deepEqual(await store.versions.bundle(sha256), bytes));
  });

  test("work that waits goes along, and the report says what becomes of it", async () => {
    const { url } = await filled("sqlite");
    const { warnings } = await migrate(url, engines.freshUrl("sqlite"));
    assert.match(warnings.join(), /2 calls wait in the source's queue, and run where .*1 dead letters/);
  });

  test("what the target lost while it was written is found out", async () => {
    const { url } = await filled("sqlite");
    const wrap = (end: StoreEnd): StoreEnd => ({
      ...end,
      insert: (kind, rows) => end.insert(kind, kind === "kv" ? rows.slice(1) : rows),
      [Symbol.asyncDispose]: async () => {},
    });
    await assert.rejects(migrate(url, engines.freshUrl("sqlite"), { wrap }), {
      code: "CS_STORE_WRITE_FAILED",
      message: /kv are not the source's/,
    });
  });

  test("a source of an older release is read with what its schema has, and stays as it is", async () => {
    const { url } = await filled("sqlite");
    const path = url.slice("sqlite:".length);
    const db = new DatabaseSync(path);
    db.exec("drop table resources; drop table audit_events; delete from schema_migrations where number >= 5");
    const before = db.prepare("select max(number) as number from schema_migrations").get();
    db.close();
    const report = await migrate(url, engines.freshUrl("sqlite"));
    assert.ok(sumOf(report, "written") > 0);
    const after = new DatabaseSync(path, { readOnly: true });
    assert.deepEqual(after.prepare("select max(number) as number from schema_migrations").get(), before);
    after.close();
  });

  test("a source that is not there, and one of a newer release, are refused", async () => {
    const open = (url: string) => openStoreEnd({ url, as: "source", now });
    await assert.rejects(open("sqlite:/nonexistent/sous.db"), { code: "CS_NOT_FOUND" });
    await assert.rejects(open("mysql://x"), { code: "CS_VALIDATION_FAILED" });
    const { url } = await filled("sqlite");
    const db = new DatabaseSync(url.slice("sqlite:".length));
    db.exec("insert into schema_migrations values (9999, 'newer', 0)");
    db.close();
    await assert.rejects(open(url), { code: "CS_STORE_UNAVAILABLE", message: /newer release/ });
  });

  test("a database that a platform with its queue in memory works on is refused", async (context) => {
    if (!engines.available.includes("postgres")) return context.skip();
    const url = engines.freshUrl("postgres");
    const { createPostgresStore } = await import("../postgres/postgres-store.ts");
    await using _store = await createPostgresStore({ url, isSoleWriter: true });
    for (const as of ["source", "target"] as const) {
      await assert.rejects(openStoreEnd({ url, as, now }), { code: "CS_CONFLICT" });
    }
    await using end = await openStoreEnd({ url, as: "source", exclusive: false, now });
    assert.equal(await end.isEmpty("functions"), true);
  });

  test("every table is a kind, or follows from one", async () => {
    const url = engines.freshUrl("sqlite");
    await within(url, async () => {});
    const db = new DatabaseSync(url.slice("sqlite:".length), { readOnly: true });
    const tables = db
      .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
      .all()
      .map((row) => String(row["name"]));
    const follows = ["activation_group_parts", "kv_usage", "leases", "probe", "schema_migrations"];
    const known = [...Object.values(KINDS).map(({ table }) => table), ...follows];
    assert.deepEqual(tables.toSorted(), known.toSorted(), "bring the new table over in transfer/kinds.ts");
    const left = { functions: [], kv: ["bytes"], logs: ["first", "count", "seq"], activations: ["seq"] };
    for (const [kind, { table, columns }] of Object.entries(KINDS)) {
      const there = db
        .prepare(`pragma table_info(${table})`)
        .all()
        .map((row) => String(row["name"]));
      const more = (left as Record<string, string[]>)[kind] ?? ["seq"].filter((name) => there.includes(name));
      assert.deepEqual(there.toSorted(), [...Object.keys(columns), ...more].toSorted(), `columns of ${kind}`);
    }
    db.close();
  });
});
