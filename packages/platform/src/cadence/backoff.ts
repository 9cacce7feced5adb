/** @returns how long to wait before try number `tries` + 1: exponential with full jitter, never quite nothing */
export function backoffMs(tries: number, ceilingMs: number, random: () => number): number {
  const top = Math.min(ceilingMs, 200 * 2 ** Math.min(tries, 16));
  return Math.floor(top * (0.2 + 0.8 * random()));
}
