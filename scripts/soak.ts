import { spawn } from "node:child_process";
import { parseArgs } from "node:util";

/**
 * The long versions of suites that every test run has short ones of: a cluster under failures of every kind, one whose
 * invokers are killed, one whose database is cut off, schedules, an outage of control and store, and the fuzzer. Runs one
 * after the other, tells every ten seconds where it is, and ends with 1 when any fails. A failing run prints the seed that
 * repeats it.
 */
const { values } = parseArgs({
  options: {
    /** Calls enqueued while parts of a cluster fail, in either suite. */
    calls: { type: "string", default: "100000" },
    /** How often the database is cut off under calls. */
    cuts: { type: "string", default: "60" },
    /** Where the random choices begin (another one each run). */
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    /** Seconds of a schedule's ticks, with leaders that are killed and without. */
    ticks: { type: "string", default: "120" },
    /** Seconds for the fuzzer. */
    fuzz: { type: "string", default: "600" },
  },
});

const PROGRESS_SECONDS = 10;

const suites: { name: string; file: string; env: Record<string, string> }[] = [
  {
    name: `a cluster under failures: ${values.calls} calls, seed ${values.seed}`,
    file: "test/crash/cluster.test.ts",
    env: { SOUS_SOAK_CALLS: values.calls, SOUS_SOAK_SEED: values.seed },
  },
  {
    name: `invokers killed every ten seconds: ${values.calls} calls, seed ${values.seed}`,
    file: "test/crash/invoker-kills.test.ts",
    env: { SOUS_SOAK_CALLS: values.calls, SOUS_SOAK_SEED: values.seed },
  },
  {
    name: `the database cut off ${values.cuts} times, seed ${values.seed}`,
    file: "test/crash/database-cuts.test.ts",
    env: { SOUS_SOAK_CUTS: values.cuts, SOUS_SOAK_SEED: values.seed },
  },
  {
    name: `a schedule whose leaders are killed: ${values.ticks} s, seed ${values.seed}`,
    file: "test/triggers/leader-kills.test.ts",
    env: { SOUS_TEST_SCHEDULE_SECONDS: values.ticks, SOUS_TEST_SCHEDULE_SEED: values.seed },
  },
  {
    name: `a schedule of each second on one process: ${values.ticks} s`,
    file: "test/triggers/schedules.test.ts",
    env: { SOUS_TEST_SCHEDULE_SECONDS: values.ticks },
  },
  {
    name: `a schedule of each second, roles apart: ${values.ticks} s`,
    file: "test/triggers/schedules-apart.test.ts",
    env: { SOUS_TEST_SCHEDULE_SECONDS: values.ticks },
  },
  {
    name: "control and store away for a minute",
    file: "test/cluster/static-stability.test.ts",
    env: { SOUS_TEST_STABILITY_SECONDS: "60" },
  },
  {
    name: `the fuzzer: ${values.fuzz} s`,
    file: "test/fuzz/fuzz.test.ts",
    env: { SOUS_FUZZ_SECONDS: values.fuzz },
  },
];

function run({ file, env }: (typeof suites)[number]): Promise<number> {
  const args = ["--disable-warning=ExperimentalWarning", "--test", "--test-reporter=spec", file];
  const progress = { SOUS_SOAK_PROGRESS_SECONDS: String(PROGRESS_SECONDS) };
  const child = spawn(process.execPath, args, {
    stdio: "inherit",
    env: { ...process.env, ...progress, ...env },
  });
  return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
}

for (const suite of suites) {
  console.log(`\n${suite.name}`);
  const begun = performance.now();
  const code = await run(suite);
  console.log(
    `${suite.name}: ${code === 0 ? "passed" : "failed"} in ${Math.round((performance.now() - begun) / 1000)} s`,
  );
  if (code !== 0) process.exitCode = 1;
}
