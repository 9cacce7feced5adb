import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import {
  missingPostgres,
  missingRedis,
  type PostgresServer,
  type RedisServer,
  startPostgres,
  startRedis,
  startS3,
} from "@sous/store/testing";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { runCs } from "../support/run-cs.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";

const COUNTER = {
  "manifest.json": manifest({ capabilities: { kv: { prefixes: ["n/"], ops: ["get", "set"] } } }),
  "function.js": `export default async ({ key }) => {
    const n = ((await cs.kv.get("n/" + key)) ?? 0) + 1;
    await cs.kv.set("n/" + key, n);
    console.log("count", n);
    return { n, secret: (await cs.secrets.get("plain_key")).length };
  };`,
};
const SECRETS = "/v1/tenants/t_default/namespaces/default/secrets";
const NOWHERE = "http://127.0.0.1:1";
const missing = missingPostgres() ?? missingRedis();

interface Report {
  kinds: { kind: string; rows: number; written: number; same: number; kept: number }[];
  bundles?: { written: number; same: number };
  warnings: string[];
}

const cs = (...args: string[]) => runCs(NOWHERE, [...args, "--json"]);
const written = ({ kinds }: Report): number => kinds.reduce((sum, kind) => sum + kind.written, 0);

async function done(...args: string[]): Promise<Report> {
  const { code, stdout, stderr } = await cs(...args);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Report;
}

void describe("bringing data from engine to engine", () => {
  if (missing !== undefined) {
    test("cs migrate", (context) => skipUnlessRequired(context, missing));
    return;
  }
  const data = scratchFolder();
  const secrets_key = [randomBytes(32).toString("base64")];
  let postgres: PostgresServer;
  let redis: RedisServer;
  before(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  });
  after(async () => {
    await postgres[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
    data[Symbol.dispose]();
  });

  /** Runs a platform over a store, in the given folder or one that only has its caches. */
  async function serving<T>(store: string, body: (api: Api) => Promise<T>): Promise<T> {
    using other = scratchFolder();
    // A queue belongs to one store.
    const prefix = `queue-of-${new URL(store).searchParams.get("prefix")}`;
    const codeq = store.startsWith("redis") ? { codeq: `${redis.url}?prefix=${prefix}` } : {};
    await using server = await startServer({ settings: { data: other.path, store, secrets_key, ...codeq } });
    return await body(createApi(server.url));
  }

  test("a platform goes from SQLite to PostgreSQL to Redis and back, and counts on", async () => {
    const sqlite = `sqlite:${join(data.path, "first.db")}`;
    const stores = [
      sqlite,
      postgres.database().url,
      `${redis.url}?prefix=moved:`,
      `sqlite:${join(data.path, "last", "sous.db")}`,
    ];
    const ids: string[] = [];
    for (const [at, store] of stores.entries()) {
      const from = stores[at - 1];
      if (from !== undefined) {
        const first = await done("migrate", "--from", from, "--to", store);
        assert.ok(written(first) > 5, JSON.stringify(first.kinds));
        assert.equal(written(await done("migrate", "--from", from, "--to", store)), 0);
      }
      await serving(store, async (api) => {
        if (at === 0) {
          await api.expect(200, "PUT", `${SECRETS}/plain_key`, { value: "hunter2hunter2" });
          await api.deploy({ name: "counter", files: COUNTER, config: { secrets: ["plain_key"] } });
        }
        const answer = await api.invoke("counter", { key: "one" });
        assert.deepEqual(JSON.parse(answer.result?.body ?? ""), { n: at + 1, secret: 14 }, store);
        ids.push(answer.activation_id);
        for (const id of ids) {
          let record = { status: "" };
          await until(async () => (record = await api.activation(id)).status !== "running", "an end");
          assert.equal(record.status, "success", `${id} in ${store}`);
        }
      });
    }
  });

  test("a store that a platform works on is neither read nor written", async () => {
    const store = `sqlite:${join(data.path, "busy.db")}`;
    await serving(store, async () => {
      for (const [from, to] of [
        [store, `sqlite:${join(data.path, "other.db")}`],
        [`sqlite:${join(data.path, "first.db")}`, store],
      ] as const) {
        const { code, stderr } = await cs("migrate", "--from", from, "--to", to);
        assert.equal(code, 1);
        assert.match(stderr, /CS_CONFLICT/);
      }
    });
    assert.ok(!existsSync(join(data.path, "other.db")));
  });

  test("there is no backup of a store that holds nothing, as with a prefix that is not its own", async () => {
    const file = join(data.path, "nothing.backup");
    const { code, stderr } = await cs("backup", "--store", `${redis.url}?prefix=typo:`, "--to", file);
    assert.equal(code, 1);
    assert.match(stderr, /\(typo:\) holds nothing/);
    assert.ok(!existsSync(file) && !existsSync(`${file}.partial`));
  });

  test("backups made under load hold everything that had ended before, and run in any engine", async () => {
    const targets = {
      sqlite: postgres.database().url,
      postgres: `${redis.url}?prefix=restored:`,
      redis: `sqlite:${join(data.path, "restored", "sous.db")}`,
    };
    for (const [name, store] of [
      ["sqlite", `sqlite:${join(data.path, "loaded.db")}`],
      ["postgres", postgres.database().url],
      ["redis", `${redis.url}?prefix=loaded:`],
    ] as const) {
      const file = join(data.path, `${name}.backup`);
      const before = await serving(store, async (api) => {
        await api.expect(200, "PUT", `${SECRETS}/plain_key`, { value: "hunter2hunter2" });
        await api.deploy({ name: "counter", files: COUNTER, config: { secrets: ["plain_key"] } });
        const first = await api.invoke("counter", { key: "one" });
        await until(
          async () =>
            (await api.call("GET", `/v1/tenants/t_default/activations/${first.activation_id}`)).status ===
            200,
          "its record",
        );
        let isOver = false;
        let calls = 0;
        const load = Promise.all(
          Array.from({ length: 4 }, async () => {
            for (; !isOver; calls++) await api.invoke("counter", { key: `load${calls}` });
          }),
        );
        const { code, stderr } = await cs("backup", "--store", store, "--to", file);
        isOver = true;
        await load;
        assert.equal(code, 0, stderr);
        assert.ok(calls > 0);
        return first;
      });
      assert.equal(statSync(file).mode & 0o077, 0, "nobody else reads it");
      const check = new DatabaseSync(file, { readOnly: true });
      assert.equal(check.prepare("pragma integrity_check").get()?.["integrity_check"], "ok");
      check.close();
      const again = await cs("backup", "--store", store, "--to", file);
      assert.equal(again.code, 1, "a file that is there is not written over");

      const to = targets[name];
      await done("restore", "--from", file, "--store", to);
      await serving(to, async (api) => {
        const record = await api.activation(before.activation_id);
        assert.equal(record.status, "success");
        const logs = `/v1/tenants/t_default/activations/${before.activation_id}/logs`;
        assert.deepEqual((await api.expect<{ chunks: string[] }>(200, "GET", logs)).chunks, [
          "[info] count 1",
        ]);
        const answer = await api.invoke("counter", { key: "one" });
        assert.deepEqual(JSON.parse(answer.result?.body ?? ""), { n: 2, secret: 14 });
        const { version } = await api.publish({
          name: "counter",
          files: COUNTER,
          config: { secrets: ["plain_key"] },
        });
        assert.equal(version, 2);
      });
    }
    assert.deepEqual(
      readdirSync(data.path).filter((name) => /partial/.test(name)),
      [],
    );
  });

  test("bundles go from the store to a folder and to S3, whole, and heal a store", async () => {
    await using s3 = await startS3();
    const store = `sqlite:${join(data.path, "first.db")}`;
    const folder = `file:${join(data.path, "bundles")}`;
    const env = { AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" };
    const to = `sqlite:${join(data.path, "with-bundles.db")}`;
    const first = await done("migrate", "--from", store, "--to", to, "--bundles-to", folder);
    assert.equal(first.bundles?.written, 1);
    const args = [
      "migrate",
      "--from",
      store,
      "--to",
      to,
      "--bundles-from",
      folder,
      "--bundles-to",
      s3.url("x"),
      "--json",
    ];
    for (const expected of [1, 0]) {
      const { code, stdout, stderr } = await runCs(NOWHERE, args, env);
      assert.equal(code, 0, stderr);
      assert.equal((JSON.parse(stdout) as Report).bundles?.written, expected);
    }
    const db = new DatabaseSync(join(data.path, "first.db"));
    db.exec("update bundles set bytes = zeroblob(2048)");
    db.close();
    const lost = await cs("migrate", "--from", store, "--to", `sqlite:${join(data.path, "lost.db")}`);
    assert.equal(lost.code, 2);
    assert.match(lost.stderr, /damaged/);
    const healed = `sqlite:${join(data.path, "healed.db")}`;
    await done("migrate", "--from", store, "--to", healed, "--bundles-from", folder);
    await serving(healed, async (api) =>
      assert.equal((await api.invoke("counter", { key: "h" })).status, "success"),
    );
  });

  test("people read a table, what to do, and no password", async () => {
    const url = postgres.database().url.replace(/\/\/([^@:]+)(:[^@]*)?@/, "//$1:hunter2@");
    const from = `sqlite:${join(data.path, "first.db")}`;
    const { stdout, stderr } = await runCs(NOWHERE, ["migrate", "--from", from, "--to", url, "--dry-run"]);
    assert.match(stdout + stderr, /functions/);
    assert.doesNotMatch(stdout + stderr, /hunter2/);
    const refused = await cs("migrate", "--from", "sqlite:/nonexistent/x.db", "--to", from);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /no database.*\/nonexistent/);
  });
});
