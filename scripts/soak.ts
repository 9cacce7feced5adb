import { spawn } from "node:child_process";
import { parseArgs } from "node:util";

/**
 * The long versions of suites that every test run has short ones of: a cluster under failures of every kind, one whose
 * invokers are killed, schedules, an outage of control and store, and the fuzzer. Runs one after the other and ends with 1 when any fails. A failing run prints
 * the seed that repeats it.
 */
const { values } = parseArgs({
  options: {
    /** Calls enqueued while parts of a cluster fail, in either suite. */
    calls: { type: "string", default: "100000" },
    /** Where the random choices begin (another one each run). */
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    /** Seconds of a schedule's ticks, with leaders that are killed and without. */
    ticks: { type: "string", default: "120" },
    /** Seconds for the fuzzer. */
    fuzz: { type: "string", default: "600" },
  },
});

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
  const child = spawn(process.execPath, args, { stdio: "inherit", env: { ...process.env, ...env } });
  return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
}

for (const suite of suites) {
  console.log(`\n${suite.name}`);
  const code = await run(suite);
  if (code !== 0) process.exitCode = 1;
}
