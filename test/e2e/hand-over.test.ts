import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  missingPostgres,
  missingRedis,
  type PostgresServer,
  type RedisServer,
  startPostgres,
  startRedis,
} from "@sous/store/testing";
import { createApi, manifest, until } from "../support/api.ts";
import { runCs } from "../support/run-cs.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";

/** Counts how often each number began as its first attempt; without one it tells the counts. */
const NOTE = {
  "manifest.json": manifest({ capabilities: { kv: { prefixes: ["ran/"], ops: ["get", "set"] } } }),
  "function.js": `export default async ({ n, all }, { attempt }) => {
    if (all !== undefined) return Promise.all(Array.from({ length: all }, (_, at) => cs.kv.get("ran/" + at)));
    if (attempt === 1) await cs.kv.set("ran/" + n, ((await cs.kv.get("ran/" + n)) ?? 0) + 1);
  };`,
};
const BROKEN = {
  "manifest.json": manifest({}),
  "function.js": "export default () => { throw new Error(); };",
};
const WAITING = 25;
const secrets_key = [Buffer.alloc(32, 5).toString("base64")];
const missing = missingPostgres() ?? missingRedis();

void describe("a queue in a server after an embedded one", () => {
  if (missing !== undefined) {
    test("handing over", (context) => skipUnlessRequired(context, missing));
    return;
  }
  let postgres: PostgresServer;
  let redis: RedisServer;
  before(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  });
  after(async () => {
    await postgres[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  /** Leaves calls waiting, and a dead letter. @returns the ids of the calls */
  async function leaveWork(store: string): Promise<string[]> {
    using data = scratchFolder();
    await using server = await startServer({
      settings: { data: data.path, store, secrets_key, codeq: "memory:" },
    });
    const api = createApi(server.url);
    await api.deploy({ name: "note", files: NOTE });
    await api.deploy({ name: "broken", files: BROKEN, config: { retry: { max_attempts: 1 } } });
    const broken = (await (await api.enqueue("broken", 0)).json()) as { activation_id: string };
    await until(async () => (await api.activation(broken.activation_id)).status === "error", "a dead letter");
    const ids: string[] = [];
    for (let n = 0; n < WAITING; n++) {
      const response = await api.call("POST", "/v1/functions/note:enqueue", { n }, { "x-delay-ms": "5000" });
      assert.equal(response.status, 202, await response.clone().text());
      ids.push(((await response.json()) as { executionId: string }).executionId);
    }
    return ids;
  }

  /** Two processes that start at once over that store, with a queue in a server. */
  async function run(store: string, codeq: string, ids: readonly string[]): Promise<void> {
    using data = scratchFolder();
    using other = scratchFolder();
    const settings = { store, codeq, secrets_key };
    const [first, second] = await Promise.all([
      startServer({ settings: { ...settings, data: data.path } }),
      startServer({ settings: { ...settings, data: other.path } }),
    ]);
    await using _first = first;
    await using _second = second;
    const api = createApi(first.url);
    for (const id of ids)
      await until(async () => (await api.activation(id)).status === "success", `the end of ${id}`, 30_000);
    const ran = JSON.parse((await api.invoke("note", { all: WAITING })).result?.body ?? "[]") as number[];
    assert.deepEqual(
      ran,
      Array.from({ length: WAITING }, () => 1),
    );
  }

  test("on the PostgreSQL it had: its calls run in Redis, each once", async () => {
    const store = postgres.database().url;
    const ids = await leaveWork(store);
    await run(store, `${redis.url}?prefix=same:`, ids);
  });

  for (const engine of ["PostgreSQL", "Redis"] as const) {
    test(`after cs migrate to ${engine}: its calls run there, each once`, async () => {
      using data = scratchFolder();
      const from = `sqlite:${join(data.path, "sous.db")}`;
      const ids = await leaveWork(from);
      const to = engine === "Redis" ? `${redis.url}?prefix=moved:` : postgres.database().url;
      const moved = await runCs("http://127.0.0.1:1", ["migrate", "--from", from, "--to", to, "--json"]);
      assert.equal(moved.code, 0, moved.stderr);
      const { warnings } = JSON.parse(moved.stdout) as { warnings: string[] };
      assert.match(warnings.join(), new RegExp(`${WAITING} calls wait .*1 dead letters`));
      await run(to, `${redis.url}?prefix=${engine}:`, ids);
    });
  }
});
