import test from "node:test";
import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { credentialsPath, readCredentials, writeCredentials } from "./credentials.ts";
import { temporaryFolder } from "./testing/run-command.ts";

const CREDENTIALS = { api_url: "http://localhost:8080", tenant: "t_default", token: "secret" };
const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

test("credentials lie in the user's config folder", () => {
  assert.equal(credentialsPath({ XDG_CONFIG_HOME: "/x" }), join("/x", "code-sous", "auth.json"));
  assert.equal(credentialsPath({ HOME: "/h" }), join("/h", ".config", "code-sous", "auth.json"));
});

test("the file is for its user alone, also where folder and file were open before", async () => {
  await using folder = await temporaryFolder();
  const env = { XDG_CONFIG_HOME: folder.path };
  const path = credentialsPath(env);
  await mkdir(dirname(path), { mode: 0o755 });
  await writeFile(path, "{}", { mode: 0o644 });
  await writeCredentials(env, CREDENTIALS);
  assert.equal(await modeOf(path), 0o600);
  assert.equal(await modeOf(dirname(path)), 0o700);
  assert.deepEqual(await readdir(dirname(path)), ["auth.json"]);
  assert.deepEqual(await readCredentials(env), CREDENTIALS);
  assert.deepEqual(JSON.parse(await readFile(path, "utf8")), CREDENTIALS);
});

test("before the first login there are none", async () => {
  await using folder = await temporaryFolder();
  assert.equal(await readCredentials({ XDG_CONFIG_HOME: folder.path }), undefined);
});

test("a file that others can read is refused with what to do", async () => {
  await using folder = await temporaryFolder();
  const env = { XDG_CONFIG_HOME: folder.path };
  await chmod(await writeCredentials(env, CREDENTIALS), 0o644);
  await assert.rejects(readCredentials(env), { name: "CliError", message: /read by other users/ });
});

test("a damaged file is refused", async () => {
  await using folder = await temporaryFolder();
  const env = { XDG_CONFIG_HOME: folder.path };
  const path = await writeCredentials(env, CREDENTIALS);
  for (const text of ["{", "null", '{"api_url": 3}']) {
    await writeFile(path, text);
    await assert.rejects(readCredentials(env), { name: "CliError", message: /is damaged/ }, text);
  }
});
