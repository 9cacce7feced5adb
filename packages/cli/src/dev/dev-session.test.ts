import test, { type TestContext } from "node:test";
import assert from "node:assert/strict";
import { EventEmitter, on } from "node:events";
import { cp, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createApiClient } from "../client/api-client.ts";
import { runCommand, temporaryFolder } from "../testing/run-command.ts";
import { type SpecServer, startSpecServer } from "../testing/spec-server.ts";
import { startDevSession } from "./dev-session.ts";
import type { DevEvent } from "./folder-deployer.ts";

interface Started extends AsyncDisposable {
  session: Awaited<ReturnType<typeof startDevSession>>;
  /** Everything told so far, and what is told next. */
  events: DevEvent[];
  next(type: DevEvent["type"], name: string): Promise<DevEvent>;
}

async function start(
  server: SpecServer,
  roots: readonly string[],
  t: TestContext,
  secrets: readonly string[] = [],
): Promise<Started> {
  const events: DevEvent[] = [];
  const emitter = new EventEmitter();
  const scope = {
    apiUrl: server.url,
    gatewayUrl: server.url,
    token: undefined,
    tenant: "t_default",
    namespace: "default",
  };
  const session = await startDevSession({
    api: createApiClient(scope),
    roots,
    aliases: ["prod", "dev"],
    secrets,
    report(event) {
      events.push(event);
      emitter.emit("event");
    },
  });
  let read = events.length;
  return {
    session,
    events,
    async next(type, name) {
      const told = on(emitter, "event", { signal: t.signal });
      while (true) {
        while (read < events.length) {
          const event = events[read++];
          if (event?.type === type && (event.type === "watch_failed" || event.function === name))
            return event;
        }
        await told.next();
      }
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

const init = async (cwd: string, name: string): Promise<string> => {
  const { code, stderr } = await runCommand(["fn", "init", name], { cwd });
  assert.equal(code, 0, stderr);
  return join(cwd, name);
};
const code = (text: string): string => `export default () => ${JSON.stringify(text)};\n`;

test("every folder below a root goes into service under both aliases", async (t) => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  for (const name of ["one-fn", "two-fn"]) await init(folder.path, name);
  await mkdir(join(folder.path, "no-function"));
  await mkdir(join(folder.path, "node_modules", "dependency"), { recursive: true });
  await writeFile(join(folder.path, "node_modules", "dependency", "manifest.json"), "{}");
  await using started = await start(server, [folder.path], t);
  assert.deepEqual(
    [...started.session.versions],
    [
      ["one-fn", 1],
      ["two-fn", 1],
    ],
  );
  const { stdout } = await runCommand(["fn", "alias", "list", "one-fn", "--api-url", server.url]);
  const aliases = JSON.parse(stdout).aliases.map(
    (record: { alias: string; version: number }) => record.alias,
  );
  assert.deepEqual(aliases.sort(), ["dev", "prod"]);
});

test("a save publishes the next version, however the editor writes", async (t) => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const path = await init(folder.path, "hello");
  await using started = await start(server, [folder.path], t);
  await writeFile(join(path, "function.js"), code("in place"));
  const first = await started.next("deployed", "hello");
  assert.equal(first.type === "deployed" && first.version, 2);
  // Many editors write beside the file and move over it.
  await writeFile(join(path, "function.js~"), code("moved over"));
  await rename(join(path, "function.js~"), join(path, "function.js"));
  const second = await started.next("deployed", "hello");
  assert.equal(second.type === "deployed" && second.version, 3);
});

test("a save that changes nothing, and files editors leave, publish nothing", async (t) => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const path = await init(folder.path, "hello");
  await writeFile(join(path, "function.js"), code("same"));
  await using started = await start(server, [folder.path], t);
  await writeFile(join(path, "function.js"), code("same"));
  for (const name of [".function.js.swp", "function.js~", "4913"]) await writeFile(join(path, name), "x");
  await mkdir(join(path, ".git"));
  await writeFile(join(path, ".git", "index"), "x");
  await writeFile(join(path, "function.js"), code("other"));
  await started.next("deployed", "hello");
  assert.equal(started.session.versions.get("hello"), 2);
});

test("a manifest that is broken is told, the old version stays, and the next save mends it", async (t) => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const path = await init(folder.path, "hello");
  await using started = await start(server, [folder.path], t);
  await writeFile(join(path, "manifest.json"), "{");
  const failed = await started.next("failed", "hello");
  assert.match(failed.type === "failed" ? failed.message : "", /is not JSON/);
  assert.equal(started.session.versions.get("hello"), 1);
  await writeFile(join(path, "manifest.json"), '{"entry": "function.js"}');
  await started.next("deployed", "hello");
  assert.equal(started.session.versions.get("hello"), 2);
});

test("a syntax error is told with its place and goes into service", async (t) => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  const path = await init(folder.path, "hello");
  await using started = await start(server, [folder.path], t);
  await writeFile(join(path, "function.js"), "export default () => {\n  const x = ;\n};\n");
  const event = await started.next("deployed", "hello");
  assert.match(
    event.type === "deployed" ? (event.warnings[0] ?? "") : "",
    /^function\.js:2: .*\n(?: .*\n)* +const x = ;\n +\^$/,
  );
});

test("a folder that appears later goes into service, one that goes away is told", async (t) => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  await using elsewhere = await temporaryFolder();
  const made = await init(elsewhere.path, "late-fn");
  await using started = await start(server, [folder.path], t);
  assert.equal(started.session.versions.size, 0);
  await cp(made, join(folder.path, "late-fn"), { recursive: true });
  await started.next("deployed", "late-fn");
  await rm(join(folder.path, "late-fn"), { recursive: true });
  await started.next("removed", "late-fn");
});

test("a link to a folder elsewhere is followed and watched", async (t) => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  await using elsewhere = await temporaryFolder();
  const real = await init(elsewhere.path, "linked");
  await symlink(real, join(folder.path, "linked"));
  await using started = await start(server, [folder.path], t);
  assert.deepEqual([...started.session.versions.keys()], ["linked"]);
  await writeFile(join(real, "function.js"), code("changed"));
  await started.next("deployed", "linked");
});

test("a second start with the same files publishes nothing", async (t) => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  await init(folder.path, "hello");
  {
    await using first = await start(server, [folder.path], t);
    assert.equal(first.session.versions.get("hello"), 1);
  }
  await using second = await start(server, [folder.path], t);
  assert.deepEqual(
    second.events.map((event) => event.type === "deployed" && [event.version, event.changed]),
    [[1, false]],
  );
  await second.session.redeployAll();
  assert.equal(second.session.versions.get("hello"), 2);
});

test("two folders of one name are told apart by an error", async (t) => {
  await using server = await startSpecServer();
  await using one = await temporaryFolder();
  await using two = await temporaryFolder();
  await init(one.path, "hello");
  await init(two.path, "hello");
  await using started = await start(server, [one.path, two.path], t);
  const failed = started.events.find((event) => event.type === "failed");
  assert.match(failed?.type === "failed" ? failed.message : "", /is already the function hello/);
});

test("secrets of a session go to every function, also where its files are in service already", async (t) => {
  await using server = await startSpecServer();
  await using folder = await temporaryFolder();
  await init(folder.path, "one-fn");
  for (const secrets of [[], ["key"]]) {
    await using started = await start(server, [folder.path], t, secrets);
    assert.equal(started.session.versions.get("one-fn"), secrets.length + 1);
  }
  const publish = server.seen.findLast(({ method, path }) => method === "POST" && path.endsWith("/versions"));
  assert.deepEqual(JSON.parse(publish?.body ?? "").config.secrets, ["key"]);
});
