import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { closedPath } from "./closed-path.ts";

test(
  "the outermost part of a path that others cannot pass is named",
  { skip: process.platform === "win32" },
  () => {
    const root = mkdtempSync(join(tmpdir(), "sous-closed-"));
    try {
      const inner = join(root, "inner");
      const file = join(inner, "file");
      mkdirSync(inner);
      writeFileSync(file, "");
      const set = (modes: [number, number, number]): void =>
        [root, inner, file].forEach((path, at) => chmodSync(path, modes[at] ?? 0));
      set([0o755, 0o755, 0o644]);
      assert.equal(closedPath(file), undefined);
      set([0o711, 0o711, 0o644]);
      assert.equal(closedPath(file), undefined, "entered is enough");
      set([0o755, 0o755, 0o600]);
      assert.equal(closedPath(file), file);
      set([0o755, 0o700, 0o600]);
      assert.equal(closedPath(file), inner);
      set([0o700, 0o700, 0o600]);
      assert.equal(closedPath(file), root);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  },
);
