import { stripTypeScriptTypes } from "node:module";
import { parentPort } from "node:worker_threads";

/** What the worker is asked: strip one file. */
export interface StripRequest {
  path: string;
  source: string;
}

/**
 * What the worker answers. `broken` means the parser itself fell over: its memory cannot be trusted any more
 * and the worker has to be replaced.
 */
export type StripReply =
  | { type: "ready" }
  | { type: "stripped"; code: string }
  | { type: "refused"; reason: string }
  | { type: "broken" };

const REASON_CHARACTERS_MAX = 500;

// The module is only ever run as a worker; imported for its types elsewhere, it has no port and does nothing.
parentPort?.on("message", ({ path, source }: StripRequest) => answer(strip(path, source)));
answer({ type: "ready" });

function answer(reply: StripReply): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
  parentPort?.postMessage(reply);
}

function strip(path: string, source: string): StripReply {
  try {
    return { type: "stripped", code: stripTypeScriptTypes(source, { mode: "strip" }) };
  } catch (error) {
    if (!isSyntaxProblem(error)) return { type: "broken" };
    const reason = `${path}${position(error.stack ?? "")}: ${error.message}`;
    return { type: "refused", reason: reason.slice(0, REASON_CHARACTERS_MAX) };
  }
}

function isSyntaxProblem(error: unknown): error is Error {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return error.code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX" || error.code === "ERR_INVALID_TYPESCRIPT_SYNTAX";
}

/** Reads `:line:column` off the code frame that Node puts before the stack: `:3`, the lines, the carets. */
function position(stack: string): string {
  const line = /^:(\d+)\n/.exec(stack)?.[1];
  if (line === undefined) return "";
  const column = /^([ \t]*)\^+$/m.exec(stack)?.[1];
  return column === undefined ? `:${line}` : `:${line}:${column.length + 1}`;
}
