import { LIMITS } from "@sous/contract/limits";
import type { GuestHost } from "../abi.ts";
import { cutText } from "./bounded-text.ts";
import { inspect } from "./inspect.ts";
import { stringify } from "./primordials.ts";

export const LEVEL = { debug: 0, info: 1, warn: 2, error: 3 } as const;
export type Level = (typeof LEVEL)[keyof typeof LEVEL];
export type WriteLine = (level: Level, text: string) => void;

/** Cuts each line to its bound before it crosses the border. */
export function createLineWriter(host: GuestHost): WriteLine {
  return (level, text) => host.log(level, cutText(text, LIMITS.logLineBytesMax - 32, "… [truncated]"));
}

/** Writes a value for `cs.log`: text as it is, JSON where it can be, else as `console` shows it. */
export function logText(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    const json: unknown = stringify(value);
    if (typeof json === "string") return json;
  } catch {
    // Not JSON: cyclic, a BigInt, a getter that throws.
  }
  return inspect(value);
}
