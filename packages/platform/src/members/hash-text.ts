/** @returns a number of 32 bits for a text, the same in every process and release (FNV-1a) */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/**
 * @returns how much two hashes want each other, from 0 to 2³² - 1: of several candidates the one with the most is
 *   everybody's choice, and it changes for few when a candidate comes or goes (rendezvous hashing)
 */
export function affinity(a: number, b: number): number {
  // The finisher of MurmurHash3: every bit of both changes every bit of the result.
  let hash = a ^ Math.imul(b, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
