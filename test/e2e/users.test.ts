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
import { startCluster } from "../support/cluster.ts";
import { runCs } from "../support/run-cs.ts";
import { scratchFolder, skipUnlessRequired } from "../support/scratch.ts";
import { startServer } from "../support/server.ts";

const USERS = "/v1/tenants/t_default/users";
const missing = missingPostgres() ?? missingRedis();

interface Token {
  token: string;
  record: { sub: string; user_id?: string; roles: string[] };
}

test("users and their tokens from the command line: made, shown, changed, disabled, enabled, deleted", async () => {
  using data = scratchFolder();
  await using server = await startServer({ settings: { data: data.path, auth: "local:" } });
  const env = { SOUS_TOKEN: server.token ?? "" };
  const cs = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCs(server.url, [...args, "--json"], env);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as unknown;
  };
  const roles = ["cs:function:read", "cs:function:create"];
  const made = (await cs("user", "create", "ada@example.com", "--roles", roles.join(","))) as {
    name: string;
  };
  assert.deepEqual(await cs("user", "get", "ada@example.com"), made);
  assert.deepEqual(((await cs("user", "list")) as { items: unknown[] }).items, [made]);
  const { token, record } = (await cs("token", "create", "--user", "ada@example.com")) as Token;
  assert.deepEqual([record.sub, record.roles], ["ada@example.com", roles]);
  const list = () => runCs(server.url, ["fn", "list", "--json"], { SOUS_TOKEN: token });
  assert.equal((await list()).code, 0);
  await cs("user", "update", "ada@example.com", "--roles", "cs:function:create", "--display-name", "Ada");
  assert.match((await list()).stderr, /CS_AUTHZ_DENIED/);
  await cs("user", "update", "ada@example.com", "--roles", roles.join(","));
  await cs("user", "disable", "ada@example.com");
  assert.match((await list()).stderr, /CS_AUTHN_INVALID_TOKEN/);
  await cs("user", "enable", "ada@example.com");
  assert.equal((await list()).code, 0);
  await cs("user", "delete", "ada@example.com");
  assert.match((await list()).stderr, /CS_AUTHN_INVALID_TOKEN/);
  for (const args of [[], ["--sub", "x"], ["--sub", "x", "--user", "y", "--roles", "z"]]) {
    const { code, stderr } = await runCs(server.url, ["token", "create", ...args], env);
    assert.equal(code, 1);
    assert.match(stderr, /--user NAME/);
  }
  const { items } = (await cs("audit", "list")) as { items: { type: string; resource: string }[] };
  assert.equal(items.filter(({ resource }) => resource === "cs:t_default:user/ada@example.com").length, 6);
});

void describe("users in every store", () => {
  if (missing !== undefined) {
    test("users on servers", (context) => skipUnlessRequired(context, missing));
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

  test("users and tokens go from SQLite to PostgreSQL to Redis, and from a backup back, and count there", async () => {
    using data = scratchFolder();
    const stores = [
      `sqlite:${join(data.path, "first.db")}`,
      postgres.database().url,
      `${redis.url}?prefix=users:`,
      `sqlite:${join(data.path, "last.db")}`,
    ];
    const cs = async (...args: string[]) => {
      const { code, stderr } = await runCs("http://127.0.0.1:1", [...args, "--json"]);
      assert.equal(code, 0, stderr);
    };
    let admin: string | undefined;
    const tokens: string[] = [];
    for (const [at, store] of stores.entries()) {
      const from = stores[at - 1];
      const backup = join(data.path, "users.backup");
      if (at === 3) {
        await cs("backup", "--store", from ?? "", "--to", backup);
        await cs("restore", "--from", backup, "--store", store);
      } else if (from !== undefined) await cs("migrate", "--from", from, "--to", store);
      const queue = store.startsWith("redis") ? { codeq: redis.url } : {};
      using own = scratchFolder();
      const settings = { data: own.path, store, auth: "local:", ...queue };
      await using server = await startServer({ settings });
      if (at > 0) assert.equal(server.token, undefined, "there are tokens");
      admin ??= server.token;
      const api = createApi(server.url, admin);
      if (at === 0) {
        for (const name of ["ada", "bob"]) {
          await api.expect(201, "POST", USERS, { name, roles: ["cs:function:read"] });
          tokens.push((await api.expect<Token>(201, "POST", "/v1/tokens", { user: name })).token);
        }
        await api.expect(200, "PATCH", `${USERS}/bob`, { state: "disabled" });
      }
      const status = async (token: string | undefined) => {
        const of = createApi(server.url, token);
        return (await of.call("GET", of.scope())).status;
      };
      assert.deepEqual([await status(tokens[0]), await status(tokens[1])], [200, 401], store);
      // Both change places, for the next store to see.
      await api.expect(200, "PATCH", `${USERS}/ada`, { state: "disabled" });
      await api.expect(200, "PATCH", `${USERS}/bob`, { state: "active" });
      assert.deepEqual([await status(tokens[0]), await status(tokens[1])], [401, 200], store);
      await api.expect(200, "PATCH", `${USERS}/ada`, { state: "active" });
      await api.expect(200, "PATCH", `${USERS}/bob`, { state: "disabled" });
    }
  });

  test("a user disabled at the control plane is refused by every gateway within the time of its cache", async () => {
    await using cluster = await startCluster({
      store: `${redis.url}?prefix=disabled:`,
      codeq: `${redis.url}?prefix=queue-of-disabled:`,
      counts: { gateway: 2, invoker: 1, scheduler: 0 },
      settings: { auth: "local:", auth_cache_seconds: 2 },
    });
    const control = cluster.processes.control[0] ?? assert.fail();
    const token = cluster.processes.control.find((one) => one.token !== undefined)?.token;
    const admin = createApi(control.url, token);
    await admin.deploy({
      name: "hello",
      files: { "manifest.json": manifest(), "function.js": "export default () => 'ok';" },
      config: { authz: { invoke_http_roles: ["caller"] } },
    });
    const roles = ["caller", "cs:function:invoke:http"];
    await admin.expect(201, "POST", USERS, { name: "ada", roles });
    const made = await admin.expect<Token>(201, "POST", "/v1/tokens", { user: "ada" });
    const statuses = () =>
      Promise.all(
        cluster.gatewayUrls.map(async (url) => {
          const answer = await createApi(url, made.token).call(
            "GET",
            "/v1/web/t_default/default/hello/prod/",
          );
          await answer.arrayBuffer();
          return answer.status;
        }),
      );
    await until(async () => (await statuses()).every((status) => status === 200), "calls that pass");
    await admin.expect(200, "PATCH", `${USERS}/ada`, { state: "disabled" });
    await until(async () => (await statuses()).every((status) => status === 401), "gateways that refuse");
    await admin.expect(200, "PATCH", `${USERS}/ada`, { state: "active" });
    await until(async () => (await statuses()).every((status) => status === 200), "calls that pass again");
  });
});
