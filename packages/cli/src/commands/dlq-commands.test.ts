import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { runCommand, temporaryFolder } from "../testing/run-command.ts";
import { ACTIVATION, ACTIVATION_ID, sendJson, startSpecServer } from "../testing/spec-server.ts";

const DLQ = "/v1/tenants/t_default/namespaces/default/dlq";
const ITEM = {
  id: ACTIVATION_ID,
  kind: "invocation",
  activation_id: ACTIVATION_ID,
  function: "hello",
  attempt: 3,
  reason: "attempt 3: Exception: no\u001b[31m",
  enqueued_at_ms: 1_780_000_000_000,
  dead_at_ms: 1_780_000_003_000,
};

test("dead letters are listed as a table, and as JSON", async () => {
  await using server = await startSpecServer();
  const argv = ["dlq", "list", "--function", "hello", "--kind", "invocation", "--api-url", server.url];
  const answer = () =>
    server.answerOnce("GET", DLQ, (response) =>
      sendJson(response, 200, { items: [ITEM], next_cursor: null }),
    );
  answer();
  const table = await runCommand(argv, { tty: true });
  assert.equal(table.code, 0, table.stderr);
  assert.match(
    table.stdout,
    /^ID +KIND +FUNCTION +ATTEMPTS +DEAD SINCE +REASON\n3f0c9a52\S+ +invocation +hello +3 /,
  );
  // eslint-disable-next-line no-control-regex -- what must not reach a terminal
  assert.doesNotMatch(table.stdout, /\u001b/);
  assert.equal(server.seen[0]?.query.get("function"), "hello");
  assert.equal(server.seen[0]?.query.get("kind"), "invocation");
  answer();
  assert.deepEqual(JSON.parse((await runCommand(argv)).stdout).items, [ITEM]);
});

test("one is shown with its event and every attempt", async () => {
  await using server = await startSpecServer();
  const letter = {
    ...ITEM,
    ref: { function: "hello", alias: "prod", version: 2 },
    principal: { sub: "ann", roles: [] },
    attempts: [
      { attempt: 1, start_ms: 1, end_ms: 2, status: "error", error: { type: "Exception", message: "first" } },
    ],
    event: { n: 1 },
  };
  server.answerOnce("GET", `${DLQ}/${ACTIVATION_ID}`, (response) => sendJson(response, 200, letter));
  const run = await runCommand(["dlq", "show", ACTIVATION_ID, "--api-url", server.url], { tty: true });
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /function +hello@prod v2/);
  assert.match(run.stdout, /attempt 1: error: Exception first/);
  assert.match(run.stdout, /"n": 1/);
  assert.match(run.stderr, new RegExp(`cs dlq redrive ${ACTIVATION_ID}`));
});

test("some, those of a function, or all go back; what did not makes the exit code 1", async () => {
  await using server = await startSpecServer();
  const reply = {
    redriven: 1,
    items: [{ id: ACTIVATION_ID, activation_id: "new" }],
    failed: [],
    more: false,
    next_cursor: null,
  };
  const redrive = async (answer: object, ...argv: string[]) => {
    server.answerOnce("POST", `${DLQ}:redrive`, (response) => sendJson(response, 202, answer));
    const run = await runCommand(["dlq", ...argv, "--api-url", server.url], { tty: true });
    return { run, sent: JSON.parse(server.seen.at(-1)?.body ?? "null") as unknown };
  };
  server.answerOnce("POST", `${DLQ}:redrive`, (response) =>
    sendJson(response, 202, { ...reply, more: true, next_cursor: "9.next" }),
  );
  const all = await redrive(reply, "redrive", "--all", "--kind", "destination");
  const asked = server.seen.slice(-2).map(({ body }) => JSON.parse(body) as unknown);
  const selection = { all: true, kind: "destination" };
  assert.deepEqual(asked, [selection, { ...selection, cursor: "9.next" }]);
  assert.match(all.run.stdout, /^2 put back\nDEAD LETTER +ACTIVATION\n/);
  assert.match(all.run.stderr, /1 put back, there are more/);
  assert.equal(all.run.code, 0);
  const ofFunction = await redrive(reply, "redrive", "--function", "hello", "--ref", "7");
  assert.deepEqual(ofFunction.sent, { function: "hello", ref: { version: 7 } });
  const edited = await redrive(reply, "edit", ACTIVATION_ID, "--event", '{"n":2}', "--ref", "prod");
  assert.deepEqual(edited.sent, { ids: [ACTIVATION_ID], event: { n: 2 }, ref: { alias: "prod" } });
  const failed = { id: "a", code: "CS_NOT_FOUND", message: "there is none" };
  const one = await redrive(
    { redriven: 0, items: [], failed: [failed], more: false, next_cursor: null },
    "redrive",
    "a",
  );
  assert.deepEqual(one.sent, { ids: ["a"] });
  assert.equal(one.run.code, 1);
  assert.match(one.run.stdout, /1 not put back\nDEAD LETTER +CODE +WHY\na +CS_NOT_FOUND +there is none/);
});

test("a purge goes on while there are more, and which is meant must be said", async () => {
  await using server = await startSpecServer();
  for (const reply of [
    { purged: 1000, more: true, next_cursor: "9.next" },
    { purged: 3, more: false, next_cursor: null },
  ]) {
    server.answerOnce("POST", `${DLQ}:purge`, (response) => sendJson(response, 200, reply));
  }
  const run = await runCommand(["dlq", "purge", "--all", "--api-url", server.url], { tty: true });
  assert.equal(run.stdout, "1003 taken away\n");
  for (const argv of [[], ["a", "--all"], ["--all", "--function", "hello"]]) {
    for (const verb of ["purge", "redrive"]) {
      const bad = await runCommand(["dlq", verb, ...argv, "--api-url", server.url]);
      assert.equal(bad.code, 1);
      assert.match(bad.stderr, /say which/);
    }
  }
  assert.equal(server.seen.length, 2);
});

test("explain says whose end an activation was told of, and which dead letter it was", async () => {
  await using server = await startSpecServer();
  const path = `/v1/tenants/t_default/activations/${ACTIVATION_ID}`;
  const explain = async (source: object): Promise<string> => {
    const record = { ...ACTIVATION, trigger: { type: "event", source } };
    server.answerOnce("GET", path, (response) => sendJson(response, 200, record));
    const argv = ["activation", "explain", ACTIVATION_ID, "--api-url", server.url];
    return (await runCommand(argv, { tty: true })).stdout;
  };
  const origin = "0a1b2c3d-7d7e-4a30-9b7e-0d0a5f1c2b3d";
  const told = await explain({ destination: "on_failure", activation_id: origin });
  assert.match(told, new RegExp(`told of +the end of ${origin}, on_failure\\n`));
  const taken = await explain({ published_by: [origin, "other"] });
  assert.match(taken, new RegExp(`published by +${origin}, other\\n`));
  const again = await explain({ redriven_from: origin, edited: true });
  assert.match(again, new RegExp(`redriven +from the dead letter ${origin}, with another event\\n`));
});

test("a call can be delayed, and an end waited for", async () => {
  await using server = await startSpecServer();
  const at = ["--api-url", server.url];
  await runCommand(["fn", "create", "hello", ...at]);
  const argv = ["fn", "invoke", "hello@prod", "--mode", "async", "--delay", "90s", ...at];
  assert.equal((await runCommand(argv)).code, 0);
  assert.equal(JSON.parse(server.seen.at(-1)?.body ?? "").delay_ms, 90_000);
  const bad = await runCommand([...argv.slice(0, 6), "soon", ...at]);
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /Write 500ms/);
  assert.equal((await runCommand(["activation", "get", ACTIVATION_ID, "--wait", "20", ...at])).code, 0);
  assert.equal(server.seen.at(-1)?.query.get("wait"), "20");
});

test("a webhook secret is made, kept and shown once; signatures are checked with it", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const at = ["--api-url", server.url];
  const made = JSON.parse((await runCommand(["webhook", "secret", "hook", ...at])).stdout);
  assert.match(made.secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.deepEqual(JSON.parse(server.seen[0]?.body ?? ""), { value: made.secret });

  // The example of the specification.
  await writeFile(join(folder.path, "secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  const signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
  const verify = (body: string, sent: string) =>
    runCommand(
      `webhook verify - --id msg_p5jXN8AQM9LWM0D4loKWxJek --timestamp 1614265330 --secret-file secret`
        .split(" ")
        .concat("--signature", sent),
      { cwd: folder.path, stdin: body },
    );
  const right = await verify('{"test": 2432232314}', `v1,other ${signature}`);
  assert.equal(right.code, 0, right.stderr);
  assert.equal(JSON.parse(right.stdout).verified, true);
  const wrong = await verify('{"test": 2432232315}', signature);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /byte for byte/);
});
