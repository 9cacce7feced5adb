import test from "node:test";
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand, temporaryFolder } from "../testing/run-command.ts";
import { startSpecServer } from "../testing/spec-server.ts";

const PATH = "/v1/tenants/t_default/namespaces/default/secrets";

test("a secret is set from standard input without its last line break, and never shown", async () => {
  await using server = await startSpecServer();
  const run = await runCommand(["secret", "set", "key", "--api-url", server.url], { stdin: "hunter22\n" });
  assert.equal(run.code, 0, run.stderr);
  const [seen] = server.seen;
  assert.deepEqual([seen?.method, seen?.path], ["PUT", `${PATH}/key`]);
  assert.deepEqual(JSON.parse(seen?.body ?? ""), { value: "hunter22" });
  assert.equal(JSON.parse(run.stdout).version, 1);
  assert.doesNotMatch(run.stdout + run.stderr, /hunter22/);
});

test("a file is taken as it is, and must be text", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "key.pem"), "line 1\nline 2\n");
  await writeFile(join(folder.path, "bytes"), Buffer.from([0xff, 0xfe]));
  const argv = ["secret", "set", "key", "--api-url", server.url, "--value-file"];
  assert.equal((await runCommand([...argv, "key.pem"], { cwd: folder.path })).code, 0);
  assert.deepEqual(JSON.parse(server.seen[0]?.body ?? ""), { value: "line 1\nline 2\n" });
  const bytes = await runCommand([...argv, "bytes"], { cwd: folder.path });
  assert.equal(bytes.code, 1);
  assert.match(bytes.stderr, /not text in UTF-8/);
  const none = await runCommand([...argv, "none"], { cwd: folder.path });
  assert.equal(none.code, 1);
  assert.equal(server.seen.length, 1);
});

test("on a terminal the value is asked for and not echoed", async () => {
  await using server = await startSpecServer();
  const argv = ["secret", "set", "key", "--api-url", server.url];
  const run = await runCommand(argv, { keys: "huntex\u007fr22\r", tty: true });
  assert.deepEqual(JSON.parse(server.seen[0]?.body ?? ""), { value: "hunter22" });
  assert.equal(run.stdout, "key is set (value 1)\n");
  assert.equal(run.stderr, "value of key: \n");
  const stopped = await runCommand(argv, { keys: "hun\u0003", tty: true });
  assert.equal(stopped.code, 130);
  assert.equal(server.seen.length, 1);
});

test("short values come with a warning that logs keep them", async () => {
  await using server = await startSpecServer();
  const run = await runCommand(["secret", "set", "pin", "--api-url", server.url], { stdin: "1234" });
  assert.match(run.stderr, /not taken out of logs/);
});

test("secrets are listed and deleted", async () => {
  await using server = await startSpecServer();
  const at = ["--api-url", server.url];
  const list = await runCommand(["secret", "list", ...at], { tty: true });
  assert.match(list.stdout, /^NAME +VERSION +UPDATED +KEY\nkey +1 /);
  const gone = await runCommand(["secret", "delete", "a.b", ...at], { tty: true });
  assert.equal(gone.stdout, "deleted a.b\n");
  assert.deepEqual([server.seen[1]?.method, server.seen[1]?.path], ["DELETE", `${PATH}/a.b`]);
});
