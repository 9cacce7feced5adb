import test from "node:test";
import assert from "node:assert/strict";
import { runCommand } from "./testing/run-command.ts";
import { ACTIVATION_ID, sendError, startSpecServer } from "./testing/spec-server.ts";

test("an unknown command suggests the one that was meant and exits with 1", async () => {
  const { code, stderr } = await runCommand(["fn", "depliy"]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: unknown command 'depliy'\n\(Did you mean deploy\?\)/);
});

test("an unknown noun suggests the one that was meant", async () => {
  const { code, stderr } = await runCommand(["activations", "list"]);
  assert.equal(code, 1);
  assert.match(stderr, /Did you mean activation\?/);
});

test("help lists every noun and exits with 0", async () => {
  const { code, stdout } = await runCommand(["--help"]);
  assert.equal(code, 0);
  for (const noun of ["dev", "serve", "fn", "activation", "http", "auth", "token", "config", "doctor"]) {
    assert.match(stdout, new RegExp(`^  ${noun} `, "m"));
  }
});

test("--version is the program's as the first word", async () => {
  assert.deepEqual(await runCommand(["--version"]), { code: 0, stdout: "0.1.0\n", stderr: "" });
});

test("global options are taken before the noun, before the verb and after the positionals", async () => {
  await using server = await startSpecServer();
  const orders = [
    ["--api-url", server.url, "--namespace", "default", "fn", "list"],
    ["fn", "--api-url", server.url, "list", "--namespace", "default"],
    ["fn", "list", "--namespace", "default", "--api-url", server.url],
  ];
  for (const argv of orders) {
    const { code, stdout } = await runCommand(argv);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), { items: [], next_cursor: null });
  }
});

test("an option's value that is a noun does not choose the command", async () => {
  await using server = await startSpecServer();
  const { stderr, code } = await runCommand(["--namespace", "http", "fn", "list", "--api-url", server.url]);
  assert.equal(code, 1);
  assert.equal(server.seen[0]?.path, "/v1/tenants/t_default/namespaces/http/functions");
  assert.match(stderr, /CS_NOT_FOUND/);
});

test("an error of the server is told with code, request id and hint; below 500 exits with 1", async () => {
  await using server = await startSpecServer();
  const { code, stdout, stderr } = await runCommand(["fn", "get", "nowhere", "--api-url", server.url]);
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.deepEqual(stderr.split("\n"), [
    "error: there is no function nowhere",
    "  code        CS_NOT_FOUND",
    "  request id  req_01J0000000000000000000TEST",
    "  hint        Check the name, tenant and namespace.",
    "",
  ]);
});

test("an error of 500 and above exits with 2", async () => {
  await using server = await startSpecServer();
  const path = `/v1/tenants/t_default/activations/${ACTIVATION_ID}`;
  server.answerOnce("GET", path, (response) =>
    sendError(response, 503, "CS_STORE_UNAVAILABLE", "store down"),
  );
  const { code, stderr } = await runCommand(["activation", "get", ACTIVATION_ID, "--api-url", server.url]);
  assert.equal(code, 2);
  assert.match(stderr, /error: store down\n {2}code {8}CS_STORE_UNAVAILABLE/);
});

test("a missing argument, a missing option and a bad value exit with 1 and say which", async () => {
  const cases: [string[], RegExp][] = [
    [["fn", "get"], /missing required argument 'name'/],
    [["fn", "publish", "hello"], /required option '--draft <draft-id>'/],
    [["fn", "publish", "hello", "--draft", "d", "--timeout-ms", "soon"], /"soon" is not a whole number/],
    [["fn", "invoke", "hello", "--mode", "later"], /"later" is none of sync, async/],
  ];
  for (const [argv, message] of cases) {
    const { code, stderr } = await runCommand(argv);
    assert.equal(code, 1);
    assert.match(stderr, message);
  }
});

test("colour is for terminals, and NO_COLOR takes it away", async () => {
  await using server = await startSpecServer();
  const argv = ["activation", "explain", ACTIVATION_ID, "--api-url", server.url];
  const escape = "\u001b[";
  const colored = await runCommand(argv, { tty: true, env: { NO_COLOR: "" } });
  assert.ok(colored.stdout.includes(escape));
  const plain = await runCommand(argv, { tty: true });
  assert.ok(!plain.stdout.includes(escape));
  assert.match(plain.stdout, /success in 13 ms/);
});

test("stdout that is no terminal carries JSON, a terminal text, and --json JSON on both", async () => {
  await using server = await startSpecServer();
  const argv = ["activation", "list", "--api-url", server.url];
  const piped = await runCommand(argv);
  assert.equal(JSON.parse(piped.stdout).items.length, 1);
  const shown = await runCommand(argv, { tty: true });
  assert.match(shown.stdout, /^ACTIVATION +FUNCTION +TRIGGER/);
  const asked = await runCommand([...argv, "--json"], { tty: true });
  assert.deepEqual(JSON.parse(asked.stdout), JSON.parse(piped.stdout));
});
