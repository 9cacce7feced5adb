import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { writeReadable } from "./write-readable.ts";

const modeOf = (path: string): number => statSync(path).mode & 0o777;

test("under umask 077 others may read it all the same", { skip: process.platform === "win32" }, () => {
  const root = mkdtempSync(join(tmpdir(), "sous-readable-"));
  const before = process.umask(0o077);
  try {
    const file = join(root, "one", "two", "file");
    writeReadable(file, "text");
    assert.deepEqual(
      [modeOf(file), modeOf(join(root, "one", "two")), modeOf(join(root, "one"))],
      [0o644, 0o755, 0o755],
    );
    assert.equal(modeOf(root), 0o700, "a folder that was there stays as it is");
    writeReadable(file, "more");
    assert.equal(readFileSync(file, "utf8"), "more");
    assert.deepEqual(readdirSync(join(root, "one", "two")), ["file"]);
    const taken = join(root, "taken");
    mkdirSync(join(taken, "file"), { recursive: true });
    chmodSync(taken, 0o755);
    assert.throws(() => writeReadable(join(taken, "file"), "text"));
    assert.deepEqual(readdirSync(taken), ["file"], "nothing is left of what failed");
  } finally {
    process.umask(before);
    rmSync(root, { recursive: true, force: true });
  }
});
