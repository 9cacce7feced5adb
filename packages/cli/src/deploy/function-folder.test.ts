import test from "node:test";
import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../testing/run-command.ts";
import { findFunctionFolders, readFunctionFolder } from "./function-folder.ts";

const MANIFEST = JSON.stringify({ entry: "function.js", runtime: "cs-js", handler: "default", limits: {} });

async function writeAll(root: string, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, ".."), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

test("a folder is read with its sub-folders, without dependencies, history and editors' files", async () => {
  await using folder = await temporaryFolder();
  await writeAll(folder.path, {
    "manifest.json": MANIFEST,
    "function.js": "1",
    "lib/deep/part.js": "2",
    "node_modules/x/index.js": "no",
    ".git/config": "no",
    ".env": "SECRET=1",
    "function.js~": "no",
  });
  const read = await readFunctionFolder(folder.path);
  assert.deepEqual([...read.files.keys()].sort(), ["function.js", "lib/deep/part.js", "manifest.json"]);
  assert.deepEqual(read.manifest, { entry: "function.js", runtime: "cs-js", handler: "default" });
  assert.equal(read.bytes, MANIFEST.length + 2);
});

test("a link inside the folder is read, one that leads outside is refused", async () => {
  await using folder = await temporaryFolder();
  await using outside = await temporaryFolder();
  await writeAll(folder.path, { "manifest.json": MANIFEST, "function.js": "1" });
  await symlink("function.js", join(folder.path, "also.js"));
  assert.equal(String((await readFunctionFolder(folder.path)).files.get("also.js")), "1");
  await writeFile(join(outside.path, "secret"), "secret");
  await symlink(join(outside.path, "secret"), join(folder.path, "leak.js"));
  await assert.rejects(readFunctionFolder(folder.path), {
    name: "CliError",
    message: /outside the function's folder/,
  });
});

test("a folder without a manifest, or with one that names no entry, is refused", async () => {
  await using folder = await temporaryFolder();
  await assert.rejects(readFunctionFolder(folder.path), { message: /has no manifest\.json/ });
  for (const [text, message] of [
    ["[", /is not JSON/],
    ["null", /names no entry/],
    ['{"entry": 3}', /names no entry/],
  ] as const) {
    await writeFile(join(folder.path, "manifest.json"), text);
    await assert.rejects(readFunctionFolder(folder.path), { message });
  }
});

test("functions are found in the folder itself or directly below, also behind links", async () => {
  await using folder = await temporaryFolder();
  await using elsewhere = await temporaryFolder();
  await writeAll(folder.path, {
    "b-fn/manifest.json": "{}",
    "a-fn/manifest.json": "{}",
    "other/x/manifest.json": "{}",
  });
  await writeAll(elsewhere.path, { "manifest.json": "{}" });
  await symlink(elsewhere.path, join(folder.path, "c-fn"));
  const found = await findFunctionFolders(folder.path);
  assert.deepEqual(found, [join(folder.path, "a-fn"), join(folder.path, "b-fn"), elsewhere.path]);
  assert.deepEqual(await findFunctionFolders(join(folder.path, "a-fn")), [join(folder.path, "a-fn")]);
});
