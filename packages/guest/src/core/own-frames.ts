import { LIMITS } from "@sous/contract/limits";
import { includes, indexOf, slice } from "./primordials.ts";

/** Every script of the guest names itself so (`sourceURL`); their frames say nothing to a user. */
const OWN_FRAME = "sous:guest/";
/** What isolated-vm writes where a callback of the host threw. */
const BOUNDARY = "(<isolated-vm boundary>)";
const STACK_READ_MAX = 4 * LIMITS.stackBytesMax;

/** Drops the lines of a stack that point into the guest's own scripts or out of the isolate. */
export function withoutOwnFrames(stack: string): string {
  const text = slice(stack, 0, STACK_READ_MAX);
  if (!includes(text, OWN_FRAME)) return text;
  let kept = "";
  let start = 0;
  while (start <= text.length) {
    const newline = indexOf(text, "\n", start);
    const end = newline === -1 ? text.length : newline;
    const line = slice(text, start, end);
    if (!includes(line, OWN_FRAME) && !includes(line, BOUNDARY)) kept += kept === "" ? line : `\n${line}`;
    start = end + 1;
  }
  return kept;
}
