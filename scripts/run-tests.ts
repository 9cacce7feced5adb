/**
 * Runs types, lint, format and every test; the last lines are the summary that CI systems read.
 * With paths as arguments only the tests below them run, without the checks.
 * `SOUS_TEST_REQUIRE=all` makes a skipped test a failure.
 */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join, relative } from "node:path";
import { run } from "node:test";
import { reportTests, type TestEvent } from "./test-report.ts";

const ROOT = join(import.meta.dirname, "..");
const TEST_TIMEOUT_MS = 120_000;
const FILE_TIMEOUT_MS = 600_000;
/** The longer ones mostly wait: three at a time keep two processors busy. */
const FILES_AT_ONCE = 3;
/** Files that judge by the clock whether deadlines hold: each has the machine to itself. */
const ALONE = /^test\/attack\//;

/** What the checks look at: a function somebody tries out in the checkout is not ours to judge. */
const FOLDERS = ["packages", "test", "bench", "scripts", "bin"];

const CHECKS = [
  { name: "types", package: "typescript", bin: "tsc", args: ["-p", "tsconfig.json"] },
  { name: "lint", package: "oxlint", bin: "oxlint", args: ["--type-aware", "--quiet", ...FOLDERS] },
  { name: "format", package: "oxfmt", bin: "oxfmt", args: ["--check", ...FOLDERS] },
];

/** @returns the names of the checks that failed; each has printed why */
function runChecks(): string[] {
  return CHECKS.filter((check) => {
    const started = performance.now();
    const bin = join(ROOT, "node_modules", check.package, "bin", check.bin);
    const done = spawnSync(process.execPath, [bin, ...check.args], { cwd: ROOT, encoding: "utf8" });
    const failed = done.status !== 0;
    console.log(`${failed ? "✖" : "✔"} ${check.name} (${Math.round(performance.now() - started)} ms)`);
    if (failed) console.log(`${done.stdout}${done.stderr}`.trimEnd());
    return failed;
  }).map((check) => check.name);
}

function findTests(paths: readonly string[]): string[] {
  const below = paths.length === 0 ? ["packages", "test"] : paths.map((path) => relative(ROOT, path));
  const patterns = below.flatMap((path) => (path.endsWith(".test.ts") ? [path] : [`${path}/**/*.test.ts`]));
  const files = globSync(patterns, { cwd: ROOT, exclude: (name) => name.includes("node_modules") });
  return [...new Set(files)].sort().map((file) => join(ROOT, file));
}

/** @param most files that run at once */
const runFiles = (chosen: readonly string[], most: number): ReturnType<typeof run> =>
  run({
    files: chosen,
    cwd: ROOT,
    concurrency: most,
    timeout: FILE_TIMEOUT_MS,
    execArgv: ["--disable-warning=ExperimentalWarning", `--test-timeout=${TEST_TIMEOUT_MS}`],
  });

async function* runAll(chosen: readonly string[]): AsyncGenerator<TestEvent> {
  const isAlone = (file: string): boolean => ALONE.test(relative(ROOT, file));
  const [alone, others] = [chosen.filter(isAlone), chosen.filter((file) => !isAlone(file))];
  if (alone.length > 0) yield* runFiles(alone, 1);
  if (others.length > 0) yield* runFiles(others, FILES_AT_ONCE);
}

const paths = process.argv.slice(2);
const failedChecks = paths.length === 0 ? runChecks() : [];
const files = findTests(paths);
if (files.length === 0) console.log(`no test file below ${paths.join(" ") || "packages and test"}`);

const passed = await reportTests(runAll(files), {
  root: ROOT,
  failedChecks,
  skipsFail: process.env.SOUS_TEST_REQUIRE === "all",
  print: (line) => console.log(line),
});
process.exitCode = passed && files.length > 0 ? 0 : 1;
