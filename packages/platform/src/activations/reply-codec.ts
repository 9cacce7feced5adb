import { ERROR_CATALOGUE, type ErrorCode, PlatformError } from "@sous/contract";
import type { InvocationReply } from "./invocation-reply.ts";

/** What of an error crosses to another process: never its cause. */
interface SentError {
  code: string;
  message: string;
  details?: Record<string, unknown>;
  retry_after_seconds?: number;
}

type SentReply = Omit<InvocationReply, "unrecorded"> & { unrecorded?: SentError };

/** Writes replies for a queue between processes, and reads them. */
export const REPLY_CODEC = {
  encode({ unrecorded, ...reply }: InvocationReply): string {
    const sent: SentReply =
      unrecorded === undefined ? reply : { ...reply, unrecorded: sentError(unrecorded) };
    return JSON.stringify(sent);
  },
  decode(json: string): InvocationReply {
    const { unrecorded, ...reply } = JSON.parse(json) as SentReply;
    const whole = { ...reply, result: reply.result, error: reply.error };
    return unrecorded === undefined ? whole : { ...whole, unrecorded: errorOf(unrecorded) };
  },
};

function sentError({ code, message, details, retryAfterSeconds }: PlatformError): SentError {
  const sent: SentError = { code, message };
  if (details !== undefined) sent.details = details;
  if (retryAfterSeconds !== undefined) sent.retry_after_seconds = retryAfterSeconds;
  return sent;
}

function errorOf({ code, message, details, retry_after_seconds }: SentError): PlatformError {
  // A process of another release may know codes that this one does not.
  const known = Object.hasOwn(ERROR_CATALOGUE, code) ? (code as ErrorCode) : "CS_STORE_WRITE_FAILED";
  return new PlatformError(known, message, {
    ...(details === undefined ? {} : { details }),
    ...(retry_after_seconds === undefined ? {} : { retryAfterSeconds: retry_after_seconds }),
  });
}
