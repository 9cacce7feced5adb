import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmod, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CONTRACT_BUNDLE_BYTES_MAX, describeBundleContract } from "./bundle-contract-suite.ts";
import { createFileBundles } from "./file-bundles.ts";

describeBundleContract("file:", async () => {
  const root = await mkdtemp(join(tmpdir(), "sous-bundles-"));
  const again = () => createFileBundles({ url: `file:${root}/here`, bytesMax: CONTRACT_BUNDLE_BYTES_MAX });
  const bundles = await again();
  return { bundles, again, close: () => rm(root, { recursive: true }) };
});

const SHA256 = createHash("sha256").update("x").digest("hex");

test("what a write of an ended process left is removed, one that may be going on is not", async (context) => {
  const root = await mkdtemp(join(tmpdir(), "sous-bundles-"));
  context.after(() => rm(root, { recursive: true }));
  await createFileBundles({ url: `file:${root}` });
  await writeFile(join(root, "tmp", "old"), "x");
  await utimes(join(root, "tmp", "old"), 1, 1);
  await writeFile(join(root, "tmp", "new"), "x");
  await createFileBundles({ url: `file:${root}` });
  assert.deepEqual(await readdir(join(root, "tmp")), ["new"]);
});

test("what is set aside stays in the folder for people to look at", async (context) => {
  const root = await mkdtemp(join(tmpdir(), "sous-bundles-"));
  context.after(() => rm(root, { recursive: true }));
  const bundles = await createFileBundles({ url: `file:${root}`, now: () => 7 });
  await bundles.put(SHA256, new Uint8Array(3));
  await bundles.quarantine(SHA256);
  assert.deepEqual(await readdir(join(root, "quarantine")), [`${SHA256}.7.tar`]);
});

test("a folder that cannot be used is told with its code and its place", async (context) => {
  const root = await mkdtemp(join(tmpdir(), "sous-bundles-"));
  context.after(() => rm(root, { recursive: true }));
  await writeFile(join(root, "file"), "");
  const expected = { code: "CS_BUNDLES_UNAVAILABLE", message: /file:.*cannot be reached/ };
  await assert.rejects(createFileBundles({ url: `file:${join(root, "file", "below")}` }), expected);
  await chmod(root, 0o700);
});

test("a URL without a path is refused", async () => {
  await assert.rejects(createFileBundles({ url: "file:" }), { code: "CS_VALIDATION_FAILED" });
  await assert.rejects(createFileBundles({ url: "file://host" }), { code: "CS_VALIDATION_FAILED" });
});
