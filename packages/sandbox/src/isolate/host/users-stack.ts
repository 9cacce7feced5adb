import { LIMITS } from "@sous/contract/limits";
import { asWritten } from "./as-written.ts";

/** Where isolated-vm writes this line, the frames below it are those of the host. */
const BOUNDARY = "\n    at (<isolated-vm boundary>)";
const FRAME = /^ {4}at /;
/** What frames say that are not the user's: those of the guest's scripts, of the host's, of Node, and the boundary itself. */
const NOT_THE_USERS = /sous:guest\/|file:\/\/|node:|<isolated-vm boundary>/;
const STACK_READ_MAX = 4 * LIMITS.stackBytesMax;

/**
 * Takes all frames but the user's out of the stack of an error that came out of an isolate: isolated-vm puts those of
 * the host below it.
 * @returns the message and the user's frames
 */
export function usersStack(stack: string): string {
  // The last one: a message may hold such a line too.
  const boundary = stack.lastIndexOf(BOUNDARY);
  const lines = (boundary === -1 ? stack : stack.slice(0, boundary)).slice(0, STACK_READ_MAX).split("\n");
  return lines
    .filter((line) => !FRAME.test(line) || !NOT_THE_USERS.test(line))
    .map((line) => (FRAME.test(line) ? asWritten(line) : line))
    .join("\n");
}
