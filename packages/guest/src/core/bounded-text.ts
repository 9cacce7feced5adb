import { charCodeAt, slice } from "./primordials.ts";

/** Most bytes one UTF-16 code unit takes in UTF-8; a pair of surrogates takes four for two units. */
const UNIT_BYTES_MAX = 3;

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00;
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000;

/**
 * Finds how much of a text fits into a number of UTF-8 bytes, without encoding it.
 * @returns the number of code units that fit; never between the halves of a pair
 */
export function unitsWithin(text: string, bytesMax: number): number {
  const length = text.length;
  if (length * UNIT_BYTES_MAX <= bytesMax) return length;
  let bytes = 0;
  let index = 0;
  while (index < length) {
    const unit = charCodeAt(text, index);
    let units = 1;
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (isHighSurrogate(unit) && isLowSurrogate(charCodeAt(text, index + 1))) {
      bytes += 4;
      units = 2;
    } else bytes += 3;
    if (bytes > bytesMax) return index;
    index += units;
  }
  return length;
}

/** @returns whether the text takes at most so many bytes in UTF-8 */
export const fits = (text: string, bytesMax: number): boolean =>
  text.length <= bytesMax && unitsWithin(text, bytesMax) === text.length;

/**
 * Cuts a text down to a number of UTF-8 bytes.
 * @param mark what stands at the end of a text that was cut ("")
 */
export function cutText(text: string, bytesMax: number, mark = ""): string {
  const units = unitsWithin(text, bytesMax);
  return units === text.length ? text : slice(text, 0, units) + mark;
}
