import { LIMITS } from "@sous/contract";

// C0 without tab and newline, DEL, and C1, whose 0x9b some terminals take for the beginning of an escape.
// oxlint-disable-next-line no-control-regex -- they are what it looks for
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
// Whole terminal escapes, so that no `[31m` is left of them: CSI, OSC up to its end, short ones.
// oxlint-disable-next-line no-control-regex -- they are what it looks for
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])/g;
const MARK = "… [cut]";
const MARK_BYTES = Buffer.byteLength(MARK);

/**
 * Makes a line of a function's log harmless to show: no control characters but tab and newline, no terminal
 * escapes, valid Unicode, bounded.
 * @param bytesMax in UTF-8, the mark included (64 KiB); at least 16
 */
export function sanitiseLogLine(line: string, bytesMax: number = LIMITS.logLineBytesMax): string {
  // Cutting first bounds the work: a character takes at least one byte.
  const bounded = line.length > bytesMax ? line.slice(0, bytesMax) : line;
  const clean = bounded.replaceAll(ESCAPES, "").replaceAll(CONTROLS, "").toWellFormed();
  if (line.length <= bytesMax && Buffer.byteLength(clean) <= bytesMax) return clean;
  return cutToBytes(clean, bytesMax - MARK_BYTES) + MARK;
}

function cutToBytes(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  let end = Math.min(bytesMax, bytes.length);
  // A byte of the form 10xxxxxx continues a character; step back to where one begins.
  while (end > 0 && end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString("utf8", 0, end);
}
