import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { BundleFolder } from "./bundle-folder.ts";
import { openDiskCache } from "./disk-cache.ts";

const KiB = 1024;
const sample = (text: string, size = 10 * KiB) => {
  const bytes = new Uint8Array(size).fill(text.charCodeAt(0));
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
};
const [A, B, C, D] = ["a", "b", "c", "d"].map((text) => sample(text)) as [Sample, Sample, Sample, Sample];
type Sample = ReturnType<typeof sample>;

async function scratch(context: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "sous-disk-"));
  context.after(() => rm(root, { recursive: true, force: true }));
  return root;
}

test("the least recently used goes when there is no room", async (context) => {
  const cache = await openDiskCache({ root: await scratch(context), bytesMax: 30 * KiB });
  for (const { sha256, bytes } of [A, B, C]) await cache.put(sha256, bytes);
  await cache.get(A.sha256);
  await cache.put(D.sha256, D.bytes);
  assert.equal(await cache.get(B.sha256), undefined);
  for (const { sha256, bytes } of [A, C, D]) assert.deepEqual(await cache.get(sha256), bytes);
  assert.deepEqual(cache.stats(), { items: 3, bytes: 30 * KiB });
});

test("the next process takes over what is there, in the order of its use, and no more than it may", async (context) => {
  const root = await scratch(context);
  let nowMs = 1_000_000;
  const now = () => (nowMs += 1000);
  const first = await openDiskCache({ root, bytesMax: 100 * KiB, now });
  for (const { sha256, bytes } of [A, B, C]) await first.put(sha256, bytes);
  for (const { sha256 } of [B, C, A]) await first.get(sha256);
  const second = await openDiskCache({ root, bytesMax: 20 * KiB, now });
  assert.equal(await second.get(B.sha256), undefined);
  assert.deepEqual(await second.get(A.sha256), A.bytes);
  assert.deepEqual(await second.get(C.sha256), C.bytes);
});

test("what is larger than the whole cache is not kept, and pushes nothing out", async (context) => {
  const cache = await openDiskCache({ root: await scratch(context), bytesMax: 20 * KiB });
  await cache.put(A.sha256, A.bytes);
  const large = sample("e", 21 * KiB);
  await cache.put(large.sha256, large.bytes);
  assert.equal(await cache.get(large.sha256), undefined);
  assert.deepEqual(await cache.get(A.sha256), A.bytes);
});

test("a file that somebody removed is a miss", async (context) => {
  const root = await scratch(context);
  const cache = await openDiskCache({ root, bytesMax: 100 * KiB });
  await cache.put(A.sha256, A.bytes);
  await rm(new BundleFolder(root, KiB).path(A.sha256));
  assert.equal(await cache.get(A.sha256), undefined);
  assert.deepEqual(cache.stats(), { items: 0, bytes: 0 });
});

test("a kill -9 at any write leaves whole files only", async (context) => {
  const root = await scratch(context);
  const program = `
    import { openDiskCache } from ${JSON.stringify(new URL("./disk-cache.ts", import.meta.url).href)};
    import { createHash, randomBytes } from "node:crypto";
    const cache = await openDiskCache({ root: ${JSON.stringify(root)}, bytesMax: 1e9 });
    process.stdout.write("ready");
    for (;;) await Promise.all(Array.from({ length: 8 }, () => {
      const bytes = new Uint8Array(randomBytes(300_000));
      return cache.put(createHash("sha256").update(bytes).digest("hex"), bytes);
    }));`;
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, 60));
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  const folder = new BundleFolder(root, 1e6);
  let count = 0;
  for await (const { sha256 } of folder.files()) {
    const bytes = await readFile(folder.path(sha256));
    assert.equal(createHash("sha256").update(bytes).digest("hex"), sha256);
    count += 1;
  }
  assert.ok(count > 0, "something was written");
  assert.ok((await readdir(root)).includes("tmp"));
});
