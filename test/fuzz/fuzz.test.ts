import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { describeFailure, type FuzzOptions, runFuzz } from "./run-fuzz.ts";
import type { FuzzTarget } from "./fuzz-target.ts";
import { FUZZ_TARGETS } from "./targets/all-targets.ts";

/** Seconds for all targets together; without them each tries its quick number of cases. */
const seconds = Number(process.env["SOUS_FUZZ_SECONDS"] ?? 0);

for (const { target, quickCases, share } of FUZZ_TARGETS) {
  test(`damaged input of ${target.name} never does more than be refused`, async (context) => {
    const seed = randomInt(2 ** 31);
    const bounds = seconds > 0 ? { timeMs: seconds * share * 1000 } : { cases: quickCases };
    const options: FuzzOptions = { seed, ...bounds };
    const { cases, failure } = await runFuzz(target as FuzzTarget<unknown>, options);
    context.diagnostic(`${cases} cases from seed ${seed}`);
    assert.equal(failure && describeFailure(target.name, failure), undefined);
  });
}

test("a failure is repeated by its seed and comes back with the smallest input that shows it", async () => {
  const target: FuzzTarget<string> = {
    name: "sample",
    async open() {
      return {
        generate: (random) => Array.from({ length: 20 }, () => random.pick("abcdefgh".split(""))).join(""),
        run: async (input) => (input.includes("a") && input.includes("b") ? "both letters" : undefined),
        *smaller(input) {
          for (let at = 0; at < input.length; at++) yield input.slice(0, at) + input.slice(at + 1);
        },
        show: (input) => input,
        async [Symbol.asyncDispose]() {},
      };
    },
  };
  const { failure } = await runFuzz(target, { seed: 1, cases: 100 });
  assert.ok(failure !== undefined);
  assert.match(failure.input, /^(ab|ba)$/);
  const again = await runFuzz(target, { seed: failure.seed, cases: 1 });
  assert.deepEqual(again.failure, failure);
  assert.match(
    describeFailure("sample", failure),
    new RegExp(`--target sample --seed ${failure.seed} --cases 1`),
  );
});
