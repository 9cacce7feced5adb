import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inspectHost } from "./inspect-host.ts";
import { startPlatform } from "./start-platform.ts";

for (const required of ["closed", "strict"] as const) {
  test(`with sandbox.require ${required} the platform starts where cs doctor says so, and names what is missing elsewhere`, async () => {
    const { level } = await inspectHost();
    const data = mkdtempSync(join(tmpdir(), "sous-require-"));
    const flags = { port: 0, data, log_level: "silent", "sandbox.require": required };
    const starting = startPlatform({ mode: "dev", flags, env: {} });
    if (level === "strict" || level === required) await (await starting).close();
    else {
      const message = new RegExp(`sandbox\\.require is ${required}, and sandbox hosts lack here: \\w`);
      await assert.rejects(starting, { code: "CS_VALIDATION_FAILED", message });
    }
    rmSync(data, { recursive: true, force: true });
  });
}

test("cs doctor names every layer once, with what to do about those that are off", async () => {
  const { checks } = await inspectHost();
  const names = checks.map((check) => check.name);
  assert.equal(new Set(names).size, names.length);
  if (process.platform === "linux") {
    for (const name of ["seccomp locked", "network namespace", "cgroup memory", "own user", "Landlock"]) {
      assert.ok(names.includes(name), name);
    }
  }
  for (const check of checks) if (check.status === "warn") assert.ok(check.hint, check.name);
});
