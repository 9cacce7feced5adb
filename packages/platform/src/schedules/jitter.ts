/**
 * The delay of one tick: spread evenly, and the same whoever asks, so that a new leader waits for the same moment.
 * @param uid of the schedule
 * @param tickSeq number of the tick
 * @param jitterSeconds most seconds of delay
 * @returns whole milliseconds from 0 up to the most
 */
export function jitterMs(uid: string, tickSeq: number, jitterSeconds: number): number {
  if (jitterSeconds === 0) return 0;
  // FNV-1a, then mixed: the numbers of neighbours differ in one character only.
  let hash = 0x811c9dc5;
  for (const character of `${uid}:${tickSeq}`) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  const share = ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
  return Math.floor(share * (jitterSeconds * 1000 + 1));
}
