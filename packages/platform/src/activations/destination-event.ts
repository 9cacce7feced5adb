import {
  type DestinationCondition,
  type FunctionError,
  type Invocation,
  isRetryable,
  LIMITS,
} from "@sous/contract";
import type { TerminalRecord } from "@sous/store";

/**
 * The event a destination gets, as JSON text: the shape of AWS Lambda's destination records, with our own fields in
 * snake case beside. A payload over its bound is left out and said to be; the activation's record has it.
 */
export function destinationEvent(
  invocation: Invocation,
  record: TerminalRecord,
  condition: DestinationCondition,
): string {
  const { tenant, namespace, ref, event_json } = invocation;
  const { activation_id, resolved_version: version, result, error } = record;
  const request = bounded(event_json);
  const response = bounded(error === undefined ? outputJson(result) : failureJson(error));
  const requestContext = {
    requestId: activation_id,
    functionArn: `cs:${tenant}:${namespace}:function/${ref.function}:version/${version}`,
    condition: conditionOf(error),
    approximateInvokeCount: record.attempt,
    destination: condition,
    activation_id,
    request_id: invocation.request_id,
    tenant,
    namespace,
    function: ref.function,
    version,
    alias: ref.alias ?? null,
    status: record.status,
    duration_ms: record.duration_ms,
    payload_truncated: request === undefined,
  };
  const responseContext = {
    statusCode: result?.statusCode ?? 200,
    executedVersion: String(version),
    ...(error === undefined ? {} : { functionError: "Unhandled" }),
    result_truncated: response === undefined || record.result_truncated,
  };
  const timestamp = JSON.stringify(new Date(endedAtMs(invocation, record)).toISOString());
  // The request is JSON text already and is not parsed for this.
  return (
    `{"version":"1.0","timestamp":${timestamp},"requestContext":${JSON.stringify(requestContext)},` +
    `"requestPayload":${request ?? "null"},"responseContext":${JSON.stringify(responseContext)},` +
    `"responsePayload":${response ?? "null"}}`
  );
}

/** @returns when an activation ended, epoch milliseconds; one that never began ended when it came */
export const endedAtMs = (invocation: Invocation, record: TerminalRecord): number =>
  record.end_ms ?? invocation.enqueued_at_ms;

/** Lambda's words where it has one. */
function conditionOf(error: FunctionError | undefined): string {
  if (error === undefined) return "Success";
  if (error.type === "Expired") return "EventAgeExceeded";
  return isRetryable(error.type) ? "RetriesExhausted" : "NotRetryable";
}

const bounded = (json: string): string | undefined =>
  Buffer.byteLength(json) > LIMITS.destinationPayloadBytesMax ? undefined : json;

/** The answer as JSON where it is JSON, else as text; bytes stay base64. */
function outputJson(result: TerminalRecord["result"]): string {
  if (result === undefined || result.body === "") return "null";
  const { body, isBase64Encoded } = result;
  if (isBase64Encoded) return JSON.stringify(body);
  try {
    JSON.parse(body);
    return body;
  } catch {
    return JSON.stringify(body);
  }
}

const failureJson = ({ type, message, stack }: FunctionError): string =>
  JSON.stringify({ errorType: type, errorMessage: message, trace: stack?.split("\n") ?? [] });
