import test from "node:test";
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand, temporaryFolder } from "../testing/run-command.ts";
import { AUDIT_EVENT, sendError, startSpecServer } from "../testing/spec-server.ts";

const FUNCTIONS = "/v1/tenants/t_default/namespaces/default/functions";

test("http invoke prints status=N and the body, with the long path and the short one", async () => {
  await using server = await startSpecServer();
  const at = ["--api-url", server.url];
  const get = await runCommand([
    "http",
    "invoke",
    "/v1/web/t_default/default/hello/prod/a%2Fb?x=1&y=2?3",
    ...at,
  ]);
  assert.deepEqual(get, { code: 0, stdout: "status=201\nGET nothing\n", stderr: "" });
  const post = await runCommand([
    "http",
    "invoke",
    "hello@prod/a?x=1",
    "-d",
    "text",
    "-H",
    "X-One: 1",
    ...at,
  ]);
  assert.equal(post.stdout, "status=201\nPOST text\n");
  assert.equal(server.seen[0]?.path, "/v1/web/t_default/default/hello/prod/a%2Fb");
  assert.equal(server.seen[0]?.query.get("y"), "2?3");
  assert.equal(server.seen[1]?.path, "/v1/web/t_default/default/hello/prod/a");
  assert.equal(server.seen[1]?.query.get("x"), "1");
  assert.equal(server.seen[1]?.headers["x-one"], "1");
});

test("http invoke takes method and body from options, in front of the path too", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "body.txt"), "from a file");
  const argv = ["http", "invoke", "-X", "put", "-d", "@body.txt", "hello", "--api-url", server.url];
  const { stdout } = await runCommand([...argv, "--json"], { cwd: folder.path });
  const answer = JSON.parse(stdout);
  assert.equal(answer.status, 201);
  assert.equal(answer.body, "PUT from a file");
  assert.equal(server.seen[0]?.path, "/v1/web/t_default/default/hello/latest");
});

test("functions are called at the gateway where that is another server", async () => {
  await using api = await startSpecServer();
  await using gateway = await startSpecServer();
  const servers = ["--api-url", api.url, "--gateway-url", gateway.url];
  await runCommand(["http", "invoke", "hello", ...servers]);
  await runCommand(["fn", "invoke", "hello", "--event", "{}", ...servers]);
  assert.equal(api.seen.length, 0);
  assert.equal(gateway.seen.length, 2);
});

test("login stores what it was given once the server took the token, and later commands use it", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const env = { XDG_CONFIG_HOME: folder.path };
  const login = ["auth", "login", "--tikti-url", "https://tikti.example", "--tenant", "t_default"];
  const { code, stderr } = await runCommand([...login, "--api-url", server.url], {
    env: { ...env, CS_TOKEN: "tok" },
  });
  assert.equal(code, 0, stderr);
  const stored = JSON.parse(await readFile(join(folder.path, "code-sous", "auth.json"), "utf8"));
  assert.equal(stored.api_url, server.url);
  assert.equal(stored.tenant, "t_default");
  assert.equal(stored.token, "tok");
  assert.equal(stored.tikti_url, "https://tikti.example");

  const whoami = await runCommand(["auth", "whoami"], { env });
  assert.equal(whoami.code, 0);
  assert.equal(JSON.parse(whoami.stdout).token, "login");
  assert.equal(server.seen.at(-1)?.headers["authorization"], "Bearer tok");
  assert.doesNotMatch(whoami.stdout, /"tok"/);
});

test("login with a token the server refuses stores nothing", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const env = { XDG_CONFIG_HOME: folder.path };
  server.answerOnce("GET", FUNCTIONS, (response) =>
    sendError(response, 401, "CS_AUTHN_INVALID_TOKEN", "unknown"),
  );
  const argv = ["auth", "login", "--token", "-", "--api-url", server.url];
  const { code, stderr } = await runCommand(argv, { env, stdin: "wrong\n" });
  assert.equal(code, 1);
  assert.match(stderr, /does not know this token/);
  assert.equal(server.seen[0]?.headers["authorization"], "Bearer wrong");
  await assert.rejects(readFile(join(folder.path, "code-sous", "auth.json")), { code: "ENOENT" });
});

test("login without a token says where to put one, and never asks", async () => {
  const { code, stderr } = await runCommand(["auth", "login"]);
  assert.equal(code, 1);
  assert.match(stderr, /CS_TOKEN/);
});

test("a token is made with subject, roles, tenant and end", async () => {
  await using server = await startSpecServer();
  const argv = [
    "token",
    "create",
    "--sub",
    "ci",
    "--roles",
    "admin,cs:function:create",
    "--expires-in-seconds",
    "60",
  ];
  const { stdout } = await runCommand([...argv, "--api-url", server.url]);
  assert.equal(JSON.parse(stdout).token, "cs_secret");
  assert.deepEqual(JSON.parse(server.seen[0]?.body ?? ""), {
    sub: "ci",
    roles: ["admin", "cs:function:create"],
    tenant: "t_default",
    expires_in_seconds: 60,
  });
});

test("audit list shows who changed what, as the filters say, and the whole events as JSON", async () => {
  await using server = await startSpecServer();
  const filters = [
    "--sub",
    "ada",
    "--outcome",
    "refused",
    "--resource",
    "cs:t_default:default:",
    "--since",
    "1780000000000",
  ];
  const argv = ["audit", "list", ...filters, "--api-url", server.url];
  const { stdout } = await runCommand([...argv, "--json"]);
  assert.deepEqual(JSON.parse(stdout).items, [AUDIT_EVENT]);
  const { path, query } = server.seen[0] ?? {};
  assert.equal(path, "/v1/tenants/t_default/audit-events");
  assert.deepEqual(
    ["sub", "outcome", "resource", "since", "type"].map((name) => query?.get(name)),
    ["ada", "refused", "cs:t_default:default:", "1780000000000", null],
  );
  const people = await runCommand(argv, { tty: true });
  assert.match(
    people.stdout,
    /ada +cs:function:create +cs:t_default:default:function\/hello +refused \(CS_CONFLICT\)/,
  );
  assert.equal((await runCommand(["audit", "list", "--outcome", "maybe", "--api-url", server.url])).code, 1);
});

test("doctor shows each check and exits with 1 when one fails", async () => {
  const checks = [
    { name: "node", status: "ok" as const, detail: "26.10.0" },
    { name: "bubblewrap", status: "fail" as const, detail: "missing", hint: "apt-get install bubblewrap" },
  ];
  const platform = { inspectHost: async () => ({ checks }) };
  const shown = await runCommand(["doctor"], { platform, tty: true });
  assert.equal(shown.code, 1);
  assert.match(
    shown.stdout,
    /^✔ node {8}26\.10\.0\n✖ bubblewrap {2}missing\n +apt-get install bubblewrap\n$/,
  );
  assert.deepEqual(JSON.parse((await runCommand(["doctor"], { platform })).stdout), { checks });
});

test("config print passes the flags on and shows where values come from", async () => {
  const asked: unknown[] = [];
  const platform = {
    async describeConfig(flags: unknown) {
      asked.push(flags);
      return [{ key: "port", value: 9000, source: "flag" }];
    },
  };
  const { stdout } = await runCommand(["config", "print", "--port", "9000", "--store", "sqlite:x.db"], {
    platform,
    tty: true,
  });
  assert.deepEqual(asked, [{ port: 9000, store: "sqlite:x.db" }]);
  assert.equal(stdout, "KEY   VALUE  FROM\nport  9000   flag\n");
});
