import test from "node:test";
import assert from "node:assert/strict";
import { runCommand, temporaryFolder } from "../testing/run-command.ts";
import { sendJson, startSpecServer } from "../testing/spec-server.ts";

const VERSIONS = "/v1/tenants/t_default/namespaces/default/functions/hello/versions";
const POWERS = {
  against: 3,
  added: [
    { kind: "kv", what: "set orders:*" },
    { kind: "http", what: "POST api.stripe.com /v1/charges" },
  ],
  removed: [{ kind: "topic", what: "jobs.*" }],
};
const TABLE = [
  "powers: 2 more, 1 fewer than v3",
  "  +  kv     set orders:*",
  "  +  http   POST api.stripe.com /v1/charges",
  "  -  topic  jobs.*",
].join("\n");

async function start() {
  const server = await startSpecServer();
  const folder = await temporaryFolder();
  const cs = (...argv: string[]) =>
    runCommand([...argv, "--api-url", server.url], { cwd: folder.path, tty: true });
  await cs("fn", "init", "hello");
  await cs("fn", "create", "hello");
  await cs("fn", "draft", "upload", "hello", "--path", "hello");
  return { server, folder, cs };
}

test("publish and deploy show what a version may do that the one before may not", async () => {
  const { server, folder, cs } = await start();
  const published = { version: 4, sha256: "0".repeat(64), published_at_ms: 1, warnings: [], powers: POWERS };
  for (const argv of [
    ["fn", "publish", "hello", "--draft", "drf_0", "--alias", "prod"],
    ["fn", "deploy", "hello"],
  ]) {
    server.answerOnce("POST", VERSIONS, (response) => sendJson(response, 201, published));
    const run = await cs(...argv);
    assert.equal(run.code, 0, run.stderr);
    assert.ok(run.stdout.includes(TABLE), run.stdout);
  }
  const same = await cs("fn", "deploy", "hello");
  assert.match(same.stdout, /^powers: none$/m);
  await folder[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

test("a refused approval shows the powers, and --approve sends it", async () => {
  const { server, folder, cs } = await start();
  const error = { code: "CS_APPROVAL_REQUIRED", message: "approve them", request_id: "r" };
  const refusal = { error: { ...error, details: { powers: POWERS } } };
  server.answerOnce("POST", VERSIONS, (response) => sendJson(response, 409, refusal));
  const refused = await cs("fn", "deploy", "hello");
  assert.equal(refused.code, 1);
  assert.ok(refused.stderr.startsWith(`${TABLE}\nerror: approve them`), refused.stderr);
  assert.equal((await cs("fn", "deploy", "hello", "--approve")).code, 0);
  const publish = server.seen.findLast(({ path, method }) => path === VERSIONS && method === "POST");
  assert.equal(JSON.parse(publish?.body ?? "").approve, true);
  await cs("fn", "alias", "set", "hello", "prod", "--version", "1", "--approve");
  assert.deepEqual(JSON.parse(server.seen.at(-1)?.body ?? ""), { version: 1, approve: true });
  await folder[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
