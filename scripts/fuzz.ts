/**
 * Feeds damaged input to the boundaries of the platform until something gives way or the time is up:
 * `npm run fuzz -- --seconds 600 --seed 1 --target frames|host|http|manifest|tar`. Without `--target` all of them share the time.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import type { FuzzTarget } from "../test/fuzz/fuzz-target.ts";
import { describeFailure, runFuzz } from "../test/fuzz/run-fuzz.ts";
import { FUZZ_TARGETS } from "../test/fuzz/targets/all-targets.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    cases: { type: "string" },
    target: { type: "string" },
  },
});
const chosen = FUZZ_TARGETS.filter(
  ({ target }) => values.target === undefined || values.target === target.name,
);
if (chosen.length === 0) {
  console.error(`--target is one of ${FUZZ_TARGETS.map(({ target }) => target.name).join(", ")}`);
  process.exit(1);
}
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
const shares = chosen.reduce((sum, { share }) => sum + share, 0);
for (const { target, share } of chosen) {
  const timeMs = (Number(values.seconds) * 1000 * share) / shares;
  const cases = values.cases === undefined ? {} : { cases: Number(values.cases) };
  const { cases: tried, failure } = await runFuzz(target as FuzzTarget<unknown>, { seed, timeMs, ...cases });
  console.log(`${failure === undefined ? "✔" : "✖"} ${target.name}: ${tried} cases from seed ${seed}`);
  if (failure === undefined) continue;
  console.log(describeFailure(target.name, failure));
  process.exitCode = 1;
}
