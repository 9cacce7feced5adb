import type { EventSourceRecord } from "@sous/contract";
import type { SourceMessage } from "./adapter.ts";

/**
 * The key in whose order a message runs. Shards with one call at a time are one order as a whole.
 * @returns `undefined` where order does not matter
 */
export function keyOf(
  { ordering_key, parallelism, type }: EventSourceRecord,
  { key, match }: SourceMessage,
): string | undefined {
  if (ordering_key !== undefined) return textOf(valueAt(match, ordering_key));
  return type === "kinesis" && parallelism === 1 ? "" : key;
}

/** @returns what stands at `body.order.id`, own fields only */
function valueAt(value: unknown, path: string): unknown {
  let at = value;
  for (const name of path.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === "string" ? `s${value}` : JSON.stringify(value);
}
