/**
 * How values travel. PostgreSQL has no text with U+0000, which keys and reasons may have: it is written as two
 * characters, and so is the first of those. Order and prefixes stay as they were, and so does all JSON, where
 * control characters are escaped anyway.
 */
const ESCAPE = "\u0001";
const ESCAPED_NULL = "\u0001\u0001";
const ESCAPED_ESCAPE = "\u0001\u0002";

/** A parameter as the client takes it: whole numbers within 64 bits, text without U+0000. */
export function toWire(value: unknown): unknown {
  if (typeof value === "string") return textToWire(value);
  if (typeof value === "number") return numberToWire(value);
  return value;
}

/** For the client: how columns of each type are read. */
export const COLUMN_TYPES = {
  getTypeParser: (oid: number) => PARSERS[oid] ?? asIs,
};

function textToWire(text: string): string {
  if (!text.includes("\u0000") && !text.includes(ESCAPE)) return text;
  return text.replaceAll(ESCAPE, ESCAPED_ESCAPE).replaceAll("\u0000", ESCAPED_NULL);
}

function textFromWire(text: string): string {
  if (!text.includes(ESCAPE)) return text;
  // A run of the escape begins with a pair, so that pairs are found where they were written.
  return text.replaceAll(ESCAPED_NULL, "\u0000").replaceAll(ESCAPED_ESCAPE, ESCAPE);
}

/** Every numeric column is a whole number; SQLite takes others too, and reads them back as they were. */
function numberToWire(value: number): number {
  const whole = Math.round(value);
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, whole));
}

/** What the store writes is within the safe integers; a number beyond them is damage, not a value. */
function integerFromWire(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`a stored number is out of range: ${text}`);
  return value;
}

const asIs = (text: string): string => text;

const PARSERS: Readonly<Record<number, (text: string) => unknown>> = {
  // bool, bytea, int8, int4, text
  16: (text) => text === "t",
  17: (text) => new Uint8Array(Buffer.from(text.slice(2), "hex")),
  20: integerFromWire,
  23: integerFromWire,
  25: textFromWire,
};
