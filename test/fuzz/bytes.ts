import type { Random } from "./random.ts";

/** Numbers that lie at the edge of something. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** @returns a copy with one to four changes: bits, edges, pieces taken out, put in twice or swapped for noise */
export function mutateBytes(bytes: Uint8Array, random: Random): Buffer {
  let changed: Buffer = Buffer.from(bytes);
  for (let left = 1 + random.below(4); left > 0; left--) changed = change(changed, random);
  return changed;
}

function change(bytes: Buffer, random: Random): Buffer {
  if (bytes.length === 0) return random.bytes(1 + random.below(16));
  const at = random.below(bytes.length);
  const length = 1 + random.below(Math.min(64, bytes.length - at));
  switch (random.below(6)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 1:
      if (at + 4 <= bytes.length) bytes.writeUInt32LE(random.pick(EDGES), at);
      return bytes;
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    case 4:
      random.bytes(length).copy(bytes, at);
      return bytes;
    default:
      return bytes.subarray(0, at);
  }
}

/** @returns shorter ones first, then ones with pieces of zeros */
export function* smallerBytes(bytes: Uint8Array): Generator<Buffer> {
  for (let piece = Math.ceil(bytes.length / 2); piece >= 1; piece = Math.floor(piece / 2)) {
    for (let at = 0; at < bytes.length; at += piece) {
      yield Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + piece)]);
    }
  }
  for (let piece = Math.ceil(bytes.length / 2); piece >= 1; piece = Math.floor(piece / 2)) {
    for (let at = 0; at < bytes.length; at += piece) {
      const zeroed = Buffer.from(bytes);
      zeroed.fill(0, at, Math.min(at + piece, bytes.length));
      if (!zeroed.equals(bytes)) yield zeroed;
    }
  }
}
