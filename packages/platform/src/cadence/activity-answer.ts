import {
  type ActivityResult,
  type FunctionError,
  type FunctionResult,
  LIMITS,
  type TerminalStatus,
} from "@sous/contract";
import type { ActivityFailure } from "./activity-server.ts";

/** What Cadence is told of a task. */
export type ActivityAnswer =
  | { type: "complete"; result: Uint8Array }
  | { type: "fail"; failure: ActivityFailure }
  | { type: "cancelled"; details: Uint8Array };

/** How an activation ended, from its reply or its record. */
export interface ActivityEnd {
  status: TerminalStatus;
  result?: FunctionResult | undefined;
  error?: FunctionError | undefined;
  /** The record holds only a part of the result. */
  truncated: boolean;
}

/** Why a task failed, as workflows and retry policies tell apart. */
export type FailureReason =
  | "mapping_not_found"
  | "resolve_version_failed"
  | "version_not_found"
  | "role_missing"
  | "publish_failed"
  | "input_too_large"
  | "result_too_large"
  | "respond_failed"
  | "cancelled"
  | "error"
  | "timeout";

/**
 * The body of a result that Cadence is told: as much as a record keeps, so that no crash can lose a part of it. Escaped
 * as JSON it stays below the 2 MiB that Cadence takes.
 */
const RESULT_CHARACTERS_MAX = LIMITS.resultRecordBytesMax;
const utf8 = new TextEncoder();

/** @returns a failure whose details are JSON: `type`, `message` and, where there is one, `stack` */
export function failureOf(
  reason: FailureReason,
  error: { type: string; message: string; stack?: string },
): ActivityAnswer {
  const { type, message, stack } = error;
  const details = utf8.encode(JSON.stringify({ type, message, ...(stack === undefined ? {} : { stack }) }));
  return { type: "fail", failure: { reason, details } };
}

/**
 * @param cancelRequested whether the workflow asked for an early end: only then may it be answered with one
 * @returns what Cadence is told of an end
 */
export function answerOf(end: ActivityEnd, format: ActivityResult, cancelRequested: boolean): ActivityAnswer {
  const { status, result, error } = end;
  if (status === "success" && result !== undefined) return completion(result, format, end.truncated);
  const told = error ?? { type: status, message: `the activation ended with ${status}` };
  if (status !== "cancelled") return failureOf(status === "timeout" ? "timeout" : "error", told);
  if (!cancelRequested) return failureOf("cancelled", told);
  return { type: "cancelled", details: utf8.encode(JSON.stringify({ message: told.message })) };
}

function completion(result: FunctionResult, format: ActivityResult, truncated: boolean): ActivityAnswer {
  if (truncated || result.body.length > RESULT_CHARACTERS_MAX) {
    const message =
      `the result of an activity holds at most ${RESULT_CHARACTERS_MAX} characters; ` +
      "keep what is larger elsewhere and return where it is";
    return failureOf("result_too_large", { type: "ResultTooLarge", message });
  }
  if (format === "envelope") return { type: "complete", result: utf8.encode(JSON.stringify(result)) };
  return { type: "complete", result: Buffer.from(result.body, result.isBase64Encoded ? "base64" : "utf8") };
}
