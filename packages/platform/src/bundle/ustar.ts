import { splitUstarPath } from "./bundle-path.ts";

/** Size of a tar block; headers are one block, contents are padded to whole blocks. */
export const TAR_BLOCK_BYTES = 512;
/** A tar ends with two empty blocks. */
export const TAR_END_BYTES = 2 * TAR_BLOCK_BYTES;

const SIZE_OFFSET = 124;
const CHECKSUM_OFFSET = 148;
const PREFIX_OFFSET = 345;
const encoder = new TextEncoder();

/**
 * Writes the one header a file of this path and size has in a canonical bundle: ustar, mode 0644, owner 0,
 * mtime 0. A reader compares against it, so whatever differs (a link, a device, pax, GNU names) is refused.
 * @param path a valid bundle path that fits ustar
 * @param size in bytes, below 8 GiB
 */
export function ustarHeader(path: string, size: number): Uint8Array {
  const header = new Uint8Array(TAR_BLOCK_BYTES);
  const put = (offset: number, text: string) => header.set(encoder.encode(text), offset);
  const split = splitUstarPath(path) ?? { name: "", prefix: "" };
  put(0, split.name);
  put(100, "000644 \0");
  put(108, "000000 \0");
  put(116, "000000 \0");
  put(SIZE_OFFSET, `${size.toString(8).padStart(11, "0")} `);
  put(136, "00000000000 ");
  put(156, "0");
  put(257, "ustar\0");
  put(263, "00");
  put(329, "000000 \0");
  put(337, "000000 \0");
  put(PREFIX_OFFSET, split.prefix);
  put(CHECKSUM_OFFSET, `${checksum(header).toString(8).padStart(6, "0")} \0`);
  return header;
}

/** The sum of all bytes, with the checksum's own eight bytes counted as spaces. */
function checksum(header: Uint8Array): number {
  let sum = 8 * 32;
  for (const byte of header) sum += byte;
  return sum;
}

/** What the two variable fields of a header say, unchecked. */
export interface UstarEntry {
  path: string;
  size: number;
}

/**
 * Reads path and size of a header. Says nothing about the rest: compare with {@link ustarHeader}.
 * @returns `undefined` when they are not text and octal digits
 */
export function readUstarHeader(header: Uint8Array): UstarEntry | undefined {
  const name = textField(header, 0, 100);
  const prefix = textField(header, PREFIX_OFFSET, 155);
  const size = /^([0-7]{11}) $/.exec(
    Buffer.from(header.subarray(SIZE_OFFSET, SIZE_OFFSET + 12)).toString("latin1"),
  );
  if (name === undefined || prefix === undefined || size?.[1] === undefined) return undefined;
  return { path: prefix === "" ? name : `${prefix}/${name}`, size: Number.parseInt(size[1], 8) };
}

const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textField(header: Uint8Array, offset: number, length: number): string | undefined {
  const field = header.subarray(offset, offset + length);
  const end = field.indexOf(0);
  try {
    return strictText.decode(end === -1 ? field : field.subarray(0, end));
  } catch {
    return undefined;
  }
}

/** @returns the bytes a content of this size takes in a tar, padding included */
export const paddedSize = (size: number): number => Math.ceil(size / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
