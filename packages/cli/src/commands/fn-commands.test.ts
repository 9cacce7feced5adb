import test from "node:test";
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TEMPLATE_NAMES } from "../init/write-template.ts";
import { runCommand, temporaryFolder } from "../testing/run-command.ts";
import { ACTIVATION_ID, startSpecServer } from "../testing/spec-server.ts";

const FUNCTIONS = "/v1/tenants/t_default/namespaces/default/functions";

test("a function goes the long way: create, draft, publish, alias, invoke, delete", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const cwd = folder.path;
  const cs = (...argv: string[]) => runCommand([...argv, "--api-url", server.url], { cwd });
  assert.equal((await cs("fn", "init", "hello")).code, 0);
  assert.equal((await cs("fn", "create", "hello", "--runtime", "cs-js")).code, 0);
  const draft = JSON.parse((await cs("fn", "draft", "upload", "hello", "--path", "hello")).stdout);
  assert.equal(draft.draft_id, "drf_0");
  const publish = ["--timeout-ms", "3000", "--memory-mb", "64", "--invoke-http-roles", "role:app, admin"];
  const published = await cs("fn", "publish", "--draft", "drf_0", "--alias", "dev", ...publish, "hello");
  assert.equal(JSON.parse(published.stdout).version, 1);
  assert.equal((await cs("fn", "alias", "set", "hello", "prod", "--version", "1")).code, 0);
  const aliases = JSON.parse((await cs("fn", "alias", "list", "hello")).stdout).aliases;
  assert.deepEqual(
    aliases.map((record: { alias: string; version: number }) => [record.alias, record.version]),
    [
      ["dev", 1],
      ["prod", 1],
    ],
  );
  const invoked = JSON.parse((await cs("fn", "invoke", "hello@prod", "--event", '{"a":1}')).stdout);
  assert.equal(invoked.result.body, '{"a":1}');
  assert.deepEqual(JSON.parse((await cs("fn", "delete", "hello")).stdout), { status: "deleted" });

  const sent = server.seen.find((request) => request.path === `${FUNCTIONS}/hello/versions`);
  assert.deepEqual(JSON.parse(sent?.body ?? ""), {
    draft_id: "drf_0",
    config: { timeout_ms: 3000, memory_mb: 64, authz: { invoke_http_roles: ["role:app", "admin"] } },
    alias: "dev",
  });
});

test("deploy does all of it at once, with admin in every role list, and prints how to call", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const cwd = folder.path;
  await runCommand(["fn", "init", "hello"], { cwd });
  const first = await runCommand(["fn", "deploy", "hello", "--api-url", server.url, "--token", "t0"], {
    cwd,
  });
  assert.equal(first.code, 0, first.stderr);
  const deployed = JSON.parse(first.stdout);
  assert.equal(deployed.created, true);
  assert.equal(deployed.version, 1);
  assert.deepEqual(deployed.warnings, []);
  assert.equal(deployed.url, `${server.url}/v1/web/t_default/default/hello/prod`);
  // The token itself must not end up in terminals and logs.
  assert.equal(deployed.curl, `curl -s -H "authorization: Bearer $SOUS_TOKEN" ${deployed.url}`);
  const { config } = JSON.parse(server.seen.findLast((request) => request.method === "POST")?.body ?? "");
  const {
    invoke_schedule_roles: schedule,
    invoke_event_roles: event,
    invoke_cadence_roles: cadence,
    ...others
  } = config.authz as Record<string, string[]>;
  assert.deepEqual(schedule, ["admin", "role:worker"], "the scheduler has a role of its own");
  assert.deepEqual(event, ["admin", "role:worker"], "so have event sources");
  assert.deepEqual(cadence, ["admin", "role:cadence"], "so have the workers of Cadence");
  assert.deepEqual(Object.values(others), [["admin"], ["admin"]]);

  const again = await runCommand(["fn", "deploy", "--api-url", server.url, "hello", "--alias", "beta"], {
    cwd,
  });
  assert.equal(JSON.parse(again.stdout).version, 2);
  assert.equal(JSON.parse(again.stdout).created, false);
  assert.match(JSON.parse(again.stdout).curl, /^curl -s http/);
});

test("deploy warns of a syntax error with file and line, and deploys", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const cwd = folder.path;
  await runCommand(["fn", "init", "hello"], { cwd });
  await writeFile(join(cwd, "hello", "function.js"), "export default () => {\n  const x = ;\n};\n");
  const { code, stderr, stdout } = await runCommand(["fn", "deploy", "hello", "--api-url", server.url], {
    cwd,
  });
  assert.equal(code, 0);
  assert.match(stderr, /^warning: function\.js:2: /);
  assert.equal(JSON.parse(stdout).warnings.length, 1);
});

test("invoke exits with 0 when the function failed, and with 3 under --exit-status", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const cwd = folder.path;
  const at = ["--api-url", server.url];
  await runCommand(["fn", "create", "hello", ...at], { cwd });
  const invoke = ["fn", "invoke", "hello@1", "--event", '"fail"', ...at];
  const quiet = await runCommand(invoke, { cwd });
  assert.equal(quiet.code, 0);
  assert.equal(JSON.parse(quiet.stdout).error.message, "boom");
  assert.equal((await runCommand([...invoke, "--exit-status"], { cwd })).code, 3);
  const queued = await runCommand(["fn", "invoke", "hello", "--mode", "async", "--exit-status", ...at], {
    cwd,
  });
  assert.equal(queued.code, 0);
  assert.deepEqual(JSON.parse(queued.stdout), { activation_id: ACTIVATION_ID, status: "queued" });
});

test("an event comes from the command line, a file or standard input", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const cwd = folder.path;
  const at = ["--api-url", server.url];
  await runCommand(["fn", "create", "hello", ...at], { cwd });
  await writeFile(join(cwd, "event.json"), '{"from":"file"}');
  const bodyOf = async (event: string, stdin = ""): Promise<string> => {
    const { stdout } = await runCommand(["fn", "invoke", "hello", "--event", event, ...at], { cwd, stdin });
    return JSON.parse(stdout).result.body;
  };
  assert.equal(await bodyOf("[1]"), "[1]");
  assert.equal(await bodyOf("@event.json"), '{"from":"file"}');
  assert.equal(await bodyOf("event.json"), '{"from":"file"}');
  assert.equal(await bodyOf("-", '{"from":"stdin"}'), '{"from":"stdin"}');
  const bad = await runCommand(["fn", "invoke", "hello", "--event", "{", ...at], { cwd });
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /is not JSON/);
});

test("a ref is an alias, a version or nothing", async () => {
  await using server = await startSpecServer();
  const at = ["--api-url", server.url];
  await runCommand(["fn", "create", "hello", ...at]);
  for (const ref of ["hello@prod", "hello@17", "hello"]) await runCommand(["fn", "invoke", ref, ...at]);
  const refs = server.seen
    .filter((seen) => seen.path.endsWith(":invoke"))
    .map((seen) => JSON.parse(seen.body).ref);
  assert.deepEqual(refs, [{ alias: "prod" }, { version: 17 }, undefined]);
  const { code, stderr } = await runCommand(["fn", "invoke", "hello@", ...at]);
  assert.equal(code, 1);
  assert.match(stderr, /not name@alias/);
});

test("init writes every template whole, and never over files that are there", async () => {
  await using folder = await temporaryFolder();
  const cwd = folder.path;
  for (const template of TEMPLATE_NAMES) {
    const { code, stderr } = await runCommand(["fn", "init", template, "--template", template], { cwd });
    assert.equal(code, 0, stderr);
    const path = join(cwd, template);
    const manifest = JSON.parse(await readFile(join(path, "manifest.json"), "utf8"));
    const files = await readdir(path);
    assert.ok(files.includes(manifest.entry));
    assert.ok(files.includes("event.json"));
    assert.match(await readFile(join(path, "README.md"), "utf8"), new RegExp(`^# ${template}\n`));
  }
  await writeFile(join(cwd, "http", "function.js"), "mine");
  const again = await runCommand(["fn", "init", "http"], { cwd });
  assert.equal(again.code, 1);
  assert.match(again.stderr, /already has README.md, event.json, function.js, manifest.json/);
  assert.equal(await readFile(join(cwd, "http", "function.js"), "utf8"), "mine");
  assert.equal((await runCommand(["fn", "init", "http", "--force"], { cwd })).code, 0);
  assert.equal((await runCommand(["fn", "init", "No", "--path", "x"], { cwd })).code, 1);
});

test("test runs the folder in the platform's runtime and exits with 3 when the function failed", async () => {
  await using folder = await temporaryFolder();
  const cwd = folder.path;
  await runCommand(["fn", "init", "hello"], { cwd });
  const asked: unknown[] = [];
  const result = {
    statusCode: 201,
    headers: { "x-a": "1" },
    cookies: ["a=1", "b=2"],
    body: "ok",
    isBase64Encoded: false,
  };
  const run = (status: "success" | "error") => ({
    async runLocally(options: unknown) {
      asked.push(options);
      const run = { status, logs: ["[info] hi"], duration_ms: 1, timings: {} };
      return status === "error" ? run : { ...run, result };
    },
  });
  const argv = ["fn", "test", "hello", "--event", "[1]", "--timeout-ms", "50"];
  const good = await runCommand(argv, { cwd, platform: run("success") });
  assert.equal(good.code, 0);
  assert.deepEqual(JSON.parse(good.stdout).logs, ["[info] hi"]);
  assert.deepEqual(asked, [{ folder: join(cwd, "hello"), name: "hello", event: [1], timeoutMs: 50 }]);
  const shown = await runCommand(argv, { cwd, platform: run("success"), tty: true });
  assert.match(shown.stdout, /201\nx-a: 1\nset-cookie: a=1\nset-cookie: b=2\n\nok/);
  const bad = await runCommand(argv, { cwd, platform: run("error"), tty: true });
  assert.equal(bad.code, 3);
  assert.match(bad.stdout, /^\[info\] hi\nerror in 1\.0 ms/);
});
