import { type ErrorCode, PlatformError } from "@sous/contract";
import { isReply } from "../redis-link/index.ts";

/** What a server says while it, not the command, is at fault: no memory, no disk, starting, no longer the first. */
const OUTAGE =
  /^(-?(OOM|MISCONF|READONLY|LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|NOREPLICAS|NOAUTH|NOPERM|WRONGPASS|TRYAGAIN)|EXECABORT)\b/;

/**
 * @param error of the connection, whose code says that the server is away
 * @returns it, or with the code of what failed where the server is there and refused
 */
export function asFailure(error: unknown, code: "CS_STORE_WRITE_FAILED" | "CS_STORE_READ_FAILED"): unknown {
  if (!(error instanceof PlatformError) || !isReply(error)) return error;
  return refusalOf(error.cause as Error, code) ?? error;
}

/** @returns the error for what a server answered, or `undefined` where it is an outage */
export function refusalOf(
  cause: Error,
  code: "CS_STORE_WRITE_FAILED" | "CS_STORE_READ_FAILED",
): PlatformError | undefined {
  if (OUTAGE.test(cause.message)) return undefined;
  return new PlatformError(code, `The store's server refused: ${cause.message}`, { cause });
}

export const outage = (message: string, cause?: unknown): PlatformError =>
  new PlatformError("CS_STORE_UNAVAILABLE", message, { cause });

/** @returns the error a script's reply stands for: a code and a message */
export function scriptRefusal(reply: string): PlatformError {
  const at = reply.indexOf(" ");
  return new PlatformError(reply.slice(0, at) as ErrorCode, reply.slice(at + 1));
}
