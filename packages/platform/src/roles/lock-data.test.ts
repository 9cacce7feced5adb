import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startPlatform } from "./start-platform.ts";

test("a data folder belongs to one platform at a time", async () => {
  const data = mkdtempSync(join(tmpdir(), "sous-lock-"));
  const flags = { port: 0, data, log_level: "silent" };
  const first = await startPlatform({ mode: "dev", flags, env: {} });
  await assert.rejects(startPlatform({ mode: "dev", flags, env: {} }), { code: "CS_CONFLICT" });
  await first.close();
  const second = await startPlatform({ mode: "dev", flags, env: {} });
  await second.close();
  rmSync(data, { recursive: true, force: true });
});
