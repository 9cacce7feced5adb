/** A source of chance that repeats itself for the same seed. */
export interface Random {
  /** @returns an integer from 0 to `bound` - 1 */
  below(bound: number): number;
  /** @returns one of the items, or `undefined` of none */
  pick<T>(items: readonly T[]): T | undefined;
}

/** @param seed any integer; the same one gives the same run */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  // A linear congruential step mixed by multiplication: plenty for choosing what a test does next.
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0;
    return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  return { below, pick: (items) => items[below(items.length)] };
}
