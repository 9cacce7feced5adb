import { isUtf8 } from "node:buffer";

/**
 * Reads a text as it was written that isolated-vm hands over as UTF-8 read as Latin-1: the specifiers of imports, and
 * the frames of stacks.
 * @returns the text itself when it is no such reading: it has wider characters, or its bytes are no UTF-8
 */
export function asWritten(text: string): string {
  const bytes = Buffer.from(text, "latin1");
  return bytes.toString("latin1") === text && isUtf8(bytes) ? bytes.toString() : text;
}
