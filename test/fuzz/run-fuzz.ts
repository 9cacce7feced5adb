import type { FuzzTarget, OpenTarget } from "./fuzz-target.ts";
import { createRandom } from "./random.ts";

export interface FuzzOptions {
  /** Seed of the first case; the next has the next number, so that each can be repeated alone. */
  seed: number;
  /** Ends after so many cases (no bound). */
  cases?: number;
  /** Ends after so many milliseconds (no bound). */
  timeMs?: number;
}

export interface FuzzFailure {
  /** Repeats the case: `npm run fuzz -- --target … --seed SEED --cases 1`. */
  seed: number;
  complaint: string;
  /** The smallest input that went wrong. */
  input: string;
}

export interface FuzzResult {
  cases: number;
  failure: FuzzFailure | undefined;
}

/** A case that takes longer hangs. */
const CASE_MS_MAX = 20_000;
const SHRINK_TRIES_MAX = 3000;
const SHRINK_MS_MAX = 30_000;

/** Feeds a target until the first failure or a bound, and makes a failure's input as small as it can. */
export async function runFuzz<Input>(target: FuzzTarget<Input>, options: FuzzOptions): Promise<FuzzResult> {
  const { seed, cases: casesMax = Infinity, timeMs = Infinity } = options;
  await using open = await target.open();
  const endMs = performance.now() + timeMs;
  let cases = 0;
  while (cases < casesMax && performance.now() < endMs) {
    const caseSeed = seed + cases++;
    const input = open.generate(createRandom(caseSeed));
    const complaint = await complaintOf(open, input);
    if (complaint === undefined) continue;
    const smallest = await shrink(open, input, complaint);
    return {
      cases,
      failure: { seed: caseSeed, complaint: smallest.complaint, input: open.show(smallest.input) },
    };
  }
  return { cases, failure: undefined };
}

/** @returns the failure as it is printed */
export const describeFailure = (target: string, { seed, complaint, input }: FuzzFailure): string =>
  [
    `${target}: ${complaint}`,
    `again: npm run fuzz -- --target ${target} --seed ${seed} --cases 1`,
    `smallest input: ${input}`,
  ].join("\n");

async function complaintOf<Input>(open: OpenTarget<Input>, input: Input): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const hang = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`it did not end within ${CASE_MS_MAX} ms`), CASE_MS_MAX);
  });
  try {
    return await Promise.race([open.run(input), hang]);
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  } finally {
    clearTimeout(timer);
  }
}

async function shrink<Input>(
  open: OpenTarget<Input>,
  first: Input,
  complaint: string,
): Promise<{ input: Input; complaint: string }> {
  let smallest = { input: first, complaint };
  const endMs = performance.now() + SHRINK_MS_MAX;
  let tries = 0;
  for (let found = true; found;) {
    found = false;
    for (const input of open.smaller(smallest.input)) {
      if (++tries > SHRINK_TRIES_MAX || performance.now() > endMs) return smallest;
      const again = await complaintOf(open, input);
      if (again === undefined) continue;
      smallest = { input, complaint: again };
      found = true;
      break;
    }
  }
  return smallest;
}
