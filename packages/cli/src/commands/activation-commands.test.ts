import test from "node:test";
import assert from "node:assert/strict";
import { runCommand, temporaryFolder } from "../testing/run-command.ts";
import { ACTIVATION, ACTIVATION_ID, sendError, sendEvents, startSpecServer } from "../testing/spec-server.ts";

const LOGS = `/v1/tenants/t_default/activations/${ACTIVATION_ID}/logs`;
const chunk = (index: number) => ({ event: "chunk", data: { index, text: `[info] ${index}` } });
const lines = (text: string): unknown[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("list filters by function, status, trigger and time", async () => {
  await using server = await startSpecServer();
  const filters = ["--function", "hello", "--status", "error", "--trigger", "http", "--since", "10m"];
  const { code } = await runCommand([
    "activation",
    "list",
    ...filters,
    "--limit",
    "7",
    "--api-url",
    server.url,
  ]);
  assert.equal(code, 0);
  assert.deepEqual(Object.fromEntries(server.seen[0]?.query ?? []), {
    function: "hello",
    namespace: "default",
    status: "error",
    trigger: "http",
    since: String(1_780_000_100_000 - 600_000),
    limit: "7",
  });
});

test("get and explain give the record as data", async () => {
  await using server = await startSpecServer();
  for (const verb of ["get", "explain"]) {
    const { stdout } = await runCommand(["activation", verb, ACTIVATION_ID, "--api-url", server.url]);
    assert.deepEqual(JSON.parse(stdout), ACTIVATION);
  }
});

test("explain draws each phase where it happened, says why it was cold and what was used", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const cwd = folder.path;
  const at = ["--api-url", server.url];
  await runCommand(["fn", "init", "hello"], { cwd });
  await runCommand(["fn", "deploy", "hello", ...at], { cwd });
  const { stdout } = await runCommand(["activation", "explain", ACTIVATION_ID, ...at], { tty: true });
  assert.match(stdout, /^hello@prod v1 {2}success in 13 ms$/m);
  assert.match(stdout, /^start +cold: every isolate of this version was busy$/m);
  assert.match(stdout, /^attempt +1 of 1$/m);
  assert.match(stdout, /^memory +8\.0 MiB of 64 MiB {2}13 %$/m);
  assert.match(stdout, /^log.* 2\.0 KiB of 1\.0 MiB {2}0 %$/m);
  const rows = stdout
    .split("\n")
    .filter((line) => /^ {0,2}(queue|placement|boot|fetch|init|handler|host calls) /.test(line));
  assert.equal(rows.length, 7);
  const barStart = (label: string): number =>
    rows.find((row) => row.trim().startsWith(label))?.search(/[█▏▎▍▌▋▊▉]/) ?? -1;
  assert.ok(barStart("queue") < barStart("boot"));
  assert.ok(barStart("boot") < barStart("handler"));
  assert.equal(barStart("handler"), barStart("host calls"));
  assert.equal(barStart("fetch"), -1, "a phase that took no time has no bar");
  assert.match(rows.at(-1) ?? "", /2 calls$/);
});

test("explain names the member of a cluster that ran it", async () => {
  await using server = await startSpecServer();
  server.answerOnce("GET", `/v1/tenants/t_default/activations/${ACTIVATION_ID}`, (response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ ...ACTIVATION, invoker: "m-0123456789ab" }));
  });
  const argv = ["activation", "explain", ACTIVATION_ID, "--api-url", server.url];
  assert.match((await runCommand(argv, { tty: true })).stdout, /^invoker +m-0123456789ab$/m);
});

test("explain does without the version's limits where they cannot be read", async () => {
  await using server = await startSpecServer();
  const { code, stdout } = await runCommand(
    ["activation", "explain", ACTIVATION_ID, "--api-url", server.url],
    {
      tty: true,
    },
  );
  assert.equal(code, 0);
  assert.match(stdout, /^memory +8\.0 MiB$/m);
});

test("logs are a list as data and lines for people, with control characters made visible", async () => {
  await using server = await startSpecServer();
  const argv = ["activation", "logs", ACTIVATION_ID, "--api-url", server.url];
  const piped = await runCommand(argv);
  assert.deepEqual(JSON.parse(piped.stdout).chunks, ["[info] one", "[warn] two\u001b[31m"]);
  const shown = await runCommand(argv, { tty: true });
  assert.equal(shown.stdout, "[info] one\n[warn] two\\x1b[31m\n");
});

test("following prints NDJSON until the end and goes on after a break without a line twice", async () => {
  await using server = await startSpecServer();
  server.answerOnce("GET", LOGS, (response) => sendEvents(response, [chunk(0), chunk(1)]));
  server.answerOnce("GET", LOGS, (response) =>
    sendEvents(response, [chunk(1), chunk(2), { event: "end", data: ACTIVATION }]),
  );
  const { code, stdout } = await runCommand([
    "activation",
    "logs",
    ACTIVATION_ID,
    "--follow",
    "--api-url",
    server.url,
  ]);
  assert.equal(code, 0);
  assert.deepEqual(
    lines(stdout),
    [0, 1, 2].map((index) => ({ activation_id: ACTIVATION_ID, index, text: `[info] ${index}` })),
  );
  assert.deepEqual(
    server.seen.map((request) => [request.query.get("follow"), request.query.get("cursor")]),
    [
      ["1", "0"],
      ["1", "2"],
    ],
  );
});

test("following an unknown activation fails at once", async () => {
  await using server = await startSpecServer();
  server.answerOnce("GET", LOGS, (response) =>
    sendError(response, 404, "CS_NOT_FOUND", "no such activation"),
  );
  const argv = ["activation", "logs", ACTIVATION_ID, "--follow", "--api-url", server.url];
  assert.equal((await runCommand(argv)).code, 1);
  assert.equal(server.seen.length, 1);
});

test("following a function prints lines of all its activations until it is stopped", async () => {
  await using server = await startSpecServer();
  const stop = new AbortController();
  const path = "/v1/tenants/t_default/namespaces/default/functions/hello/logs";
  server.answerOnce("GET", path, (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const data = { activation_id: ACTIVATION_ID, index: 0, text: "[info] one" };
    response.write(`event: chunk\ndata: ${JSON.stringify(data)}\n\n`);
  });
  const { code, stdout } = await runCommand(["fn", "logs", "hello", "--follow", "--api-url", server.url], {
    signal: stop.signal,
    onOutput: () => stop.abort(),
  });
  assert.equal(code, 0);
  assert.deepEqual(lines(stdout), [{ activation_id: ACTIVATION_ID, index: 0, text: "[info] one" }]);
});

test("cancel answers with the state it found", async () => {
  await using server = await startSpecServer();
  const { stdout } = await runCommand(["activation", "cancel", ACTIVATION_ID, "--api-url", server.url]);
  assert.equal(JSON.parse(stdout).activation_id, ACTIVATION_ID);
  assert.equal(server.seen[0]?.method, "POST");
});
