import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createSqliteStore, type Store } from "@sous/store";
import { createPostgresStore } from "@sous/store/postgres";
import { createRedisStore } from "@sous/store/redis";
import {
  missingPostgres,
  missingRedis,
  type PostgresServer,
  type RedisServer,
  startPostgres,
  startRedis,
} from "@sous/store/testing";
import { memberKey } from "../members/announce-member.ts";
import { MEMBER_KIND, type MemberRecord, MEMBERS_MAX } from "../members/member-record.ts";
import { backupData, restoreData } from "./backup-data.ts";
import { migrateData } from "./migrate-data.ts";
import { agree } from "./platform-identity.ts";

const SCOPE = { tenant: "t_default", namespace: "default" };
const KILLED_MS = 31_000;
const missing = missingPostgres() ?? missingRedis();

async function openStore(url: string): Promise<Store> {
  if (url.startsWith("sqlite:")) return await createSqliteStore({ path: url.slice("sqlite:".length) });
  return url.startsWith("redis") ? await createRedisStore({ url }) : await createPostgresStore({ url });
}

/** Puts a value into a store, and processes whose last heartbeat is so old. */
async function fill(url: string, agesMs: readonly number[]): Promise<void> {
  await using store = await openStore(url);
  await store.kv.set(SCOPE, "greeting", '"hello"', null);
  for (const [at, ageMs] of agesMs.entries()) {
    const record: MemberRecord = {
      schema: "cs.member.v1",
      id: `m-${at}`,
      roles: ["invoker"],
      address: "",
      version: "1",
      started_at_ms: 1,
      beat_at_ms: Date.now() - ageMs,
      draining: false,
      capacity: 1,
      cpus: 1,
      running: 0,
      waiting: 0,
      warm: "",
      cached: "",
    };
    await store.resources.create(MEMBER_KIND, memberKey(record.id), JSON.stringify(record), MEMBERS_MAX);
  }
}

async function holds(url: string): Promise<{ greeting: string | undefined; members: string[] }> {
  await using store = await openStore(url);
  const { items } = await store.resources.all(MEMBER_KIND, { limit: 10 });
  const greeting = await store.kv.get(SCOPE, "greeting", Date.now());
  return { greeting, members: items.map(({ key }) => key.name) };
}

/** @returns the name by which a store would go to a queue; one that has none is given one */
async function nameOf(url: string): Promise<string> {
  await using store = await openStore(url);
  const names: string[] = [];
  const codeq = { belongTo: async (name: string) => void names.push(name) };
  await agree({ resources: store.resources, codeq, keys: undefined });
  return names[0] ?? "";
}

void test("the servers of these tests are here", (context) => {
  if (missing === undefined) return;
  assert.notEqual(process.env["SOUS_TEST_REQUIRE"], "all", `required, but ${missing}`);
  context.skip(missing);
});

void describe("bringing data from and to a store of a cluster", { skip: missing ?? false }, () => {
  const folder = mkdtempSync(join(tmpdir(), "sous-migrate-"));
  let postgres: PostgresServer;
  let redis: RedisServer;
  let files = 0;
  before(async () => {
    // What a run of tests is told is no setting of a platform, which these tests read as a command would.
    for (const name of Object.keys(process.env)) if (/^SOUS_(?!TEST)/.test(name)) delete process.env[name];
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  });
  after(async () => {
    await postgres[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const newFile = (): string => join(folder, `${++files}.db`);
  const freshUrl = (engine: string): string =>
    engine === "redis" ? `${redis.url}?prefix=p${++files}:` : postgres.database().url;

  for (const engine of ["postgres", "redis"]) {
    test(`${engine}: while processes work on it, it is neither source nor target`, async () => {
      const busy = freshUrl(engine);
      await fill(busy, [0, 20_000, KILLED_MS, -5000]);
      const idle = `sqlite:${newFile()}`;
      await fill(idle, []);
      const refusal = {
        code: "CS_CONFLICT",
        message: /^3 processes of a platform work on .*stop all of them/,
      };
      for (const merge of [false, true]) {
        const to = `sqlite:${newFile()}`;
        await assert.rejects(migrateData({ from: busy, to, merge }), refusal);
        await assert.rejects(migrateData({ from: idle, to: busy, merge }), refusal);
      }
    });

    test(`${engine}: what killed processes left is not in the way, and stays where it is`, async () => {
      const [from, to] = [freshUrl(engine), freshUrl(engine)];
      await fill(from, [KILLED_MS, KILLED_MS]);
      {
        await using emptied = await openStore(to);
        await emptied.resources.create(MEMBER_KIND, memberKey("m-before"), "{}", MEMBERS_MAX);
      }
      const { warnings } = await migrateData({ from, to });
      assert.deepEqual(warnings, []);
      assert.deepEqual(await holds(to), { greeting: '"hello"', members: ["m-before"] });
    });

    test(`${engine}: a migration takes along to which queue a store belongs, a backup does not`, async () => {
      const [from, to] = [freshUrl(engine), freshUrl(engine)];
      await fill(from, []);
      const name = await nameOf(from);
      const file = newFile();
      await backupData({ file, flags: { store: from } });
      assert.notEqual(await nameOf(`sqlite:${file}`), name);
      await migrateData({ from, to });
      assert.equal(await nameOf(to), name);
      const restored = freshUrl(engine);
      await nameOf(restored);
      await restoreData({ file, flags: { store: restored } });
      assert.notEqual(await nameOf(restored), name);
    });

    test(`${engine}: a backup is made while processes work on it, and restored without them`, async () => {
      const store = freshUrl(engine);
      await fill(store, [0]);
      const file = newFile();
      await backupData({ file, flags: { store } });
      assert.deepEqual(await holds(`sqlite:${file}`), { greeting: '"hello"', members: [] });
      await assert.rejects(restoreData({ file, flags: { store } }), {
        code: "CS_CONFLICT",
        message: /^1 process of a platform works on /,
      });
      const other = freshUrl(engine);
      await restoreData({ file, flags: { store: other } });
      assert.deepEqual(await holds(other), { greeting: '"hello"', members: [] });
    });
  }
});
