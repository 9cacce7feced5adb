import { createHash } from "node:crypto";
import { type Kind, type Row, specOf, type Value } from "./kinds.ts";

/** How many rows there are, and a number that is the same for the same rows in any order. */
export interface Fingerprint {
  rows: number;
  sum: bigint;
}

const MODULUS = 1n << 128n;

export const NO_ROWS: Fingerprint = { rows: 0, sum: 0n };

/** @returns the fingerprint with a row more */
export function withRow({ rows, sum }: Fingerprint, hash: bigint): Fingerprint {
  return { rows: rows + 1, sum: (sum + hash) % MODULUS };
}

/** @returns a hash of what a row says, whichever engine it comes from: documents count by their content */
export function rowHash(kind: Kind, row: Row): bigint {
  const { columns, besides = [] } = specOf(kind);
  const hash = createHash("sha256");
  for (const [column, type] of Object.entries(columns)) {
    const value = row[column] ?? null;
    const text = type === "document" ? documentText(value, besides) : printed(value);
    hash.update(`${text.length}:`).update(text);
  }
  return BigInt(`0x${hash.digest("hex").slice(0, 32)}`);
}

/** Bytes are named by their own hash, which whoever carries them has checked. */
const printed = (value: Value): string =>
  value instanceof Uint8Array ? `${value.byteLength} bytes` : JSON.stringify(value);

function documentText(value: Value, besides: readonly string[]): string {
  if (typeof value !== "string") return printed(value);
  const parsed: unknown = JSON.parse(value);
  return canonical(withoutFields(parsed, besides));
}

function withoutFields(value: unknown, fields: readonly string[]): unknown {
  if (fields.length === 0 || typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => !fields.includes(name)));
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(",")}}`;
}
