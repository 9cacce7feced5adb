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
    const [cache, folder] = [join(root, "cache"), join(root, "cache", "ours")];
    const file = join(folder, "file");
    const modes = (): number[] => [cache, folder, file].map(modeOf);
    writeReadable(file, "text");
    assert.deepEqual(modes(), [0o711, 0o755, 0o644]);
    assert.equal(modeOf(root), 0o700, "what is further above is not ours to open");
    for (const path of [cache, folder]) chmodSync(path, 0o700);
    writeReadable(file, "more");
    assert.equal(readFileSync(file, "utf8"), "more");
    assert.deepEqual(readdirSync(folder), ["file"]);
    assert.deepEqual(modes(), [0o711, 0o755, 0o644], "whoever made the folders");
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
