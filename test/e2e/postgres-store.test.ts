import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import {
  missingPostgres,
  missingRedis,
  type PostgresServer,
  type RedisServer,
  startPostgres,
  startRedis,
} from "@sous/store/testing";
import { type Api, createApi, manifest, until } from "../support/api.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";

const SECRETS = "/v1/tenants/t_default/namespaces/default/secrets";
const WORK = {
  "manifest.json": manifest({
    capabilities: {
      kv: { prefixes: ["runs/"], ops: ["get", "set"] },
    },
  }),
  "function.js": `export default async ({ key, failUntil = 0, waitMs = 0, secret = false }, ctx) => {
    const runs = ((await cs.kv.get("runs/" + key)) ?? 0) + 1;
    await cs.kv.set("runs/" + key, runs);
    console.log("run", runs, "of", key);
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    if (ctx.attempt < failUntil) throw new Error("not yet " + ctx.attempt);
    if (secret) return { length: (await cs.secrets.get("plain_key")).length };
    return { runs };
  };`,
};
const CONFIG = {
  retry: { max_attempts: 3, backoff_ms: 40, backoff_max_ms: 60 },
  secrets: ["plain_key"],
};

const missing = missingPostgres() ?? missingRedis();

test("the platform on PostgreSQL", (context) => {
  if (missing !== undefined) skipUnlessRequired(context, missing);
});

if (missing === undefined) {
  describePlatform("its queue in memory", async () => undefined);
  describePlatform("its queue in Redis", () => startRedis({ durable: true }));
}

function describePlatform(name: string, startQueue: () => Promise<RedisServer | undefined>): void {
  describe(`a platform with its store in PostgreSQL and ${name}`, () => {
    const data = scratchFolder();
    let postgres: PostgresServer;
    let redis: RedisServer | undefined;
    let settings: Record<string, unknown>;
    let server: TestServer;
    let api: Api;

    const start = async (): Promise<void> => {
      server = await startServer({ settings });
      api = createApi(server.url);
    };
    before(async () => {
      [postgres, redis] = await Promise.all([startPostgres({ durable: true }), startQueue()]);
      settings = {
        data: data.path,
        secrets_key: [randomBytes(32).toString("base64")],
        store: `${postgres.database().url}?pool=6`,
        ...(redis === undefined ? {} : { codeq: redis.url }),
      };
      await start();
      await api.expect(200, "PUT", `${SECRETS}/plain_key`, { value: "hunter2hunter2" });
      await api.deploy({ name: "jobs", files: WORK, config: CONFIG });
    });
    after(async () => {
      await server[Symbol.asyncDispose]();
      await postgres[Symbol.asyncDispose]();
      await redis?.[Symbol.asyncDispose]();
      data[Symbol.dispose]();
    });

    const send = (event: unknown, mode: string, headers: Record<string, string> = {}): Promise<Response> =>
      api.call("POST", `${api.scope()}/jobs:invoke`, { ref: { alias: "prod" }, mode, event }, headers);

    async function enqueue(event: unknown, headers?: Record<string, string>): Promise<string> {
      const response = await send(event, "async", headers);
      assert.equal(response.status, 202, await response.clone().text());
      return ((await response.json()) as { activation_id: string }).activation_id;
    }

    async function ended(id: string): Promise<Record<string, unknown> & { status: string }> {
      let record = await api.activation(id);
      await until(async () => {
        record = await api.activation(id);
        return record.status !== "queued" && record.status !== "running";
      }, "an end");
      return record;
    }

    test("hands a secret to the function it is bound to, and keeps it sealed", async () => {
      assert.equal((await api.invoke("jobs", { key: "s", secret: true })).result?.body, '{"length":14}');
      const name = new URL(String(settings["store"])).pathname.slice(1);
      assert.equal(postgres.sql(name, "select count(*) from secrets"), "1");
      assert.equal(postgres.sql(name, "select count(*) from secrets where sealed like '%hunter2%'"), "0");
    });

    test("ends and starts again, and what it had accepted runs", async () => {
      const ids = await Promise.all(
        Array.from({ length: 8 }, (_, n) => enqueue({ key: `kept-${n}`, waitMs: 300 })),
      );
      // A queue in a server takes work for lost only when its lease is over, which is tested elsewhere.
      if (redis === undefined) await server.kill();
      else await server[Symbol.asyncDispose]();
      await start();
      for (const id of ids) assert.equal((await ended(id)).status, "success");
      assert.equal((await api.invoke("jobs", { key: "again" })).status, "success");
    });

    test("is not ready while its database is away, and goes on when it is back", async () => {
      await postgres.kill();
      await until(async () => (await api.call("GET", "/readyz")).status === 503, "it is not ready");
      const refused = await api.call("PUT", `${SECRETS}/other`, { value: "value of it" });
      assert.equal(refused.status, 503, await refused.clone().text());
      await postgres.restart();
      await until(async () => (await api.call("GET", "/readyz")).status === 200, "it is ready again");
      assert.equal((await api.invoke("jobs", { key: "back" })).status, "success");
      assert.equal((await ended(await enqueue({ key: "later" }))).status, "success");
    });

    test("a second process shares the database unless the first holds its queue there", async () => {
      using otherData = scratchFolder();
      const second = startServer({ settings: { ...settings, data: otherData.path } });
      if (redis === undefined) {
        await assert.rejects(second, /CS_CONFLICT.*queue in memory/s);
        return;
      }
      await using other = await second;
      const answer = await createApi(other.url).invoke("jobs", { key: "from-the-other" });
      assert.equal(answer.result?.body, '{"runs":1}');
      const again = await api.invoke("jobs", { key: "from-the-other" });
      assert.equal(again.result?.body, '{"runs":2}');
    });
  });
}

test("a platform that cannot reach its database does not start, and hides the password", async () => {
  using data = scratchFolder();
  const settings = { data: data.path, store: "postgres://sous:hunter2@127.0.0.1:1/sous" };
  await assert.rejects(startServer({ settings }), (error: Error) => {
    assert.match(error.message, /CS_STORE_UNAVAILABLE/);
    assert.match(error.message, /127\.0\.0\.1:1/);
    assert.doesNotMatch(error.message, /hunter2/);
    return true;
  });
});
