import test from "node:test";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const RUNNER = join(import.meta.dirname, "..", "scripts", "run-tests.ts");

/** Runs one test file under the project's runner, as `npm test -- FOLDER` does. */
function runFile(body: string, env: Record<string, string> = {}): { status: number | null; stdout: string } {
  const folder = mkdtempSync(join(tmpdir(), "sous-runner-"));
  try {
    writeFileSync(join(folder, "sample.test.ts"), `import test from "node:test";\n${body}\n`);
    const { status, stdout } = spawnSync(process.execPath, [RUNNER, folder], {
      encoding: "utf8",
      // Without this variable the inner runner does not take itself for a file of the outer one.
      env: { PATH: process.env["PATH"], ...env },
    });
    return { status, stdout };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const SKIPPED = 'test("works", () => {}); test("needs it", { skip: "redis is not here" }, () => {});';

test("a skip is told with its reason, and fails the run only when everything is required", () => {
  const relaxed = runFile(SKIPPED);
  assert.equal(relaxed.status, 0, relaxed.stdout);
  assert.match(relaxed.stdout, /skipped:\n {2}redis is not here\n {4}.*sample\.test\.ts: needs it/);
  assert.match(relaxed.stdout, /^# tests 2$[\s\S]*^# pass 1$[\s\S]*^# fail 0$[\s\S]*^# skipped 1$/m);
  assert.equal(runFile(SKIPPED, { SOUS_TEST_REQUIRE: "all" }).status, 1);
  assert.equal(runFile('test("works", () => {});', { SOUS_TEST_REQUIRE: "all" }).status, 0);
});

test("a failure is told with its place and error, and fails the run", () => {
  const { status, stdout } = runFile(
    'test("outer", async (t) => {\n  await t.test("inner", () => { throw new Error("why"); });\n});',
  );
  assert.equal(status, 1);
  assert.match(stdout, /^✖ .*sample\.test\.ts:3 inner\n {2}Error: why$/m);
  assert.doesNotMatch(stdout, /subtest failed/);
  assert.match(stdout, /^# fail [12]$/m);
});

test("what a test leaves behind and fails after its end is told, and fails the run", () => {
  const late = runFile('test("over", () => void setTimeout(() => { throw new Error("too late"); }, 20));');
  assert.equal(late.status, 1);
  assert.match(late.stdout, /✖ .*sample\.test\.ts[\s\S]*output of .*sample\.test\.ts:[\s\S]*too late/);
});

test("a file that cannot be loaded, and a folder without tests, fail the run", () => {
  const broken = runFile('throw new Error("at load");');
  assert.equal(broken.status, 1);
  assert.match(broken.stdout, /at load/);
  const none = spawnSync(process.execPath, [RUNNER, "no/such/folder"], { encoding: "utf8", env: {} });
  assert.equal(none.status, 1);
  assert.match(none.stdout, /no test file below no\/such\/folder/);
});
