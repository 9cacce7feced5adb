import test from "node:test";
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand, temporaryFolder } from "../testing/run-command.ts";
import { type SpecServer, startSpecServer } from "../testing/spec-server.ts";

/** A platform whose API is the given server; `asked` notes how it was started and whether it was closed. */
function platformOf(server: SpecServer, asked: unknown[]) {
  return {
    async startPlatform(options: unknown) {
      asked.push(options);
      return {
        url: server.url,
        auth: "none",
        data: "./.sous",
        role: "all",
        warnings: ["functions may reach 10.0.0.0/8"],
        firstToken: undefined,
        async close() {
          asked.push("closed");
        },
      };
    },
  };
}

test("dev starts the platform, deploys, reloads on save and closes when it is stopped", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const cwd = folder.path;
  await runCommand(["fn", "init", "hello"], { cwd });
  const asked: unknown[] = [];
  const stop = new AbortController();
  let saved = false;
  const { code, stdout, stderr } = await runCommand(["dev", ".", "--port", "0"], {
    cwd,
    platform: platformOf(server, asked),
    signal: stop.signal,
    onOutput(text) {
      if (!saved && text.includes("watching")) {
        saved = true;
        void writeFile(join(cwd, "hello", "function.js"), "export default () => 1;\n");
      }
      if (text.includes("↻ hello v2")) stop.abort();
    },
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual(asked, [{ mode: "dev", flags: { port: 0, data: "./.sous", role: ["all"] } }, "closed"]);
  assert.match(
    stdout,
    /^FUNCTION +VERSION +URL\nhello +v1 +http:\/\/127\.0\.0\.1:\d+\/v1\/web\/t_default\/default\/hello\/prod$/m,
  );
  assert.match(stdout, /^call +curl -s http:/m);
  assert.match(stdout, /^↻ hello v2 in \d+/m);
  assert.match(stdout, /stopped\n$/);
  assert.match(stderr, /^warning: functions may reach/);
});

test("dev --json tells the same as NDJSON", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const cwd = folder.path;
  await runCommand(["fn", "init", "hello"], { cwd });
  const stop = new AbortController();
  const { code, stdout } = await runCommand(["dev", "--json"], {
    cwd,
    platform: platformOf(server, []),
    signal: stop.signal,
    onOutput: (text) => void (text.includes('"ready"') && stop.abort()),
  });
  assert.equal(code, 0);
  const events = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map((event) => event.type),
    ["deployed", "ready", "stopped"],
  );
  assert.equal(events[0].url, `${server.url}/v1/web/t_default/default/hello/prod`);
});

test("dev with a folder that is not there says so, and closes the platform", async () => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const asked: unknown[] = [];
  const argv = ["dev", "nowhere"];
  const { code, stderr } = await runCommand(argv, { cwd: folder.path, platform: platformOf(server, asked) });
  assert.equal(code, 1);
  assert.match(stderr, /there is no folder .*nowhere/);
  assert.equal(asked.at(-1), "closed");
});

test("serve takes roles, by commas or one by one", async () => {
  await using server = await startSpecServer();
  const asked: unknown[] = [];
  const stop = new AbortController();
  const argv = ["serve", "--role", "gateway, scheduler", "--role", "invoker"];
  const { code, stderr } = await runCommand(argv, {
    platform: platformOf(server, asked),
    signal: stop.signal,
    onOutput: () => stop.abort(),
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual(asked[0], { mode: "serve", flags: { role: ["gateway", "scheduler", "invoker"] } });
});

test("serve says where it listens until it is stopped", async () => {
  await using server = await startSpecServer();
  const asked: unknown[] = [];
  const stop = new AbortController();
  const { code, stdout } = await runCommand(["serve", "--auth", "local:", "--json"], {
    platform: platformOf(server, asked),
    signal: stop.signal,
    onOutput: () => stop.abort(),
  });
  assert.equal(code, 0);
  assert.deepEqual(asked, [{ mode: "serve", flags: { auth: "local:" } }, "closed"]);
  assert.equal(JSON.parse(stdout.split("\n")[0] ?? "").url, server.url);
});
