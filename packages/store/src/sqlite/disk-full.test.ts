import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { finished, HELLO, NOW_MS, sampleActivation, withCode } from "../contract-suite/samples.ts";
import { skipUnlessRequired } from "./fixtures/skip-unless-required.ts";
import { createSqliteStore } from "./sqlite-store.ts";

const DISK_BYTES = 4 * 1024 * 1024;

/** Fills a disk to the last byte. @returns the file that does it */
function fillDisk(folder: string): string {
  const path = join(folder, "filler");
  const file = openSync(path, "w");
  for (const bytes of [65_536, 4096, 1]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(bytes));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
    }
  }
  closeSync(file);
  return path;
}

test("a full disk refuses writes with 503, loses nothing, and the store recovers with the space", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "store-full-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", folder], { stdio: "pipe" });
  } catch (error) {
    rmSync(folder, { recursive: true });
    skipUnlessRequired(context, `a small disk cannot be mounted here: ${String(error)}`);
    return;
  }
  try {
    const path = join(folder, "sous.db");
    await using store = await createSqliteStore({ path });
    const unavailable = withCode("CS_STORE_UNAVAILABLE");
    await store.kv.set(HELLO, "kept", "1", null);
    const filler = fillDisk(folder);
    const large = JSON.stringify("x".repeat(200_000));
    const batch = await Promise.allSettled([
      store.kv.set(HELLO, "small", "1", null),
      store.kv.set(HELLO, "large", large, null),
      store.activations.finish(finished(sampleActivation())),
    ]);
    for (const result of batch) {
      assert.equal(result.status, "rejected", "the batch fails as a whole");
      assert.equal((result.reason as { status?: number }).status, 503);
    }
    await assert.rejects(store.check(), unavailable);
    assert.equal(await store.kv.get(HELLO, "kept", NOW_MS), "1", "reads go on");
    assert.equal(await store.kv.get(HELLO, "small", NOW_MS), undefined);

    rmSync(filler);
    await store.check();
    await store.kv.set(HELLO, "large", large, null);
    assert.equal(await store.kv.get(HELLO, "large", NOW_MS), large);
    assert.equal(await store.kv.get(HELLO, "kept", NOW_MS), "1");
  } finally {
    execFileSync("umount", [folder]);
    rmSync(folder, { recursive: true });
  }
});
