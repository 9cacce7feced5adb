import { errorEnvelope } from "@sous/contract";
import type { InvocationReply } from "../activations/invocation-reply.ts";
import type { DirectResponse } from "../http/direct-response.ts";
import { endWith, functionFailure } from "./respond.ts";

const JSON_TYPE = "application/json; charset=utf-8";

/** Answers `:invoke`: 200 with the outcome in the body, whatever it is. */
export function sendInvokeReply(response: DirectResponse, reply: InvocationReply, requestId: string): void {
  const body: Record<string, unknown> = {
    activation_id: reply.activation_id,
    status: reply.status,
    result: reply.result ?? null,
    duration_ms: reply.duration_ms,
  };
  if (reply.error !== undefined) body["error"] = { ...reply.error, code: functionFailure(reply).code };
  const headers = ["x-request-id", requestId];
  if (reply.replayed) headers.push("x-cs-idempotency-replay", "1");
  send(response, 200, JSON.stringify(body), JSON_TYPE, headers);
}

/** Answers that work is queued. */
export function sendQueued(
  response: DirectResponse,
  body: Record<string, string>,
  activationId: string,
  { requestId, replayed }: { requestId: string; replayed: boolean },
): void {
  const headers = ["x-request-id", requestId, "x-execution-id", activationId];
  if (replayed) headers.push("x-cs-idempotency-replay", "1");
  send(response, 202, JSON.stringify(body), JSON_TYPE, headers);
}

/** Answers the short form: the function's raw output, or an error envelope with the short form's statuses. */
export function sendShortReply(
  response: DirectResponse,
  reply: InvocationReply,
  requestId: string,
  traceId: string | undefined,
): void {
  const headers = ["x-request-id", requestId, "x-execution-id", reply.activation_id];
  if (traceId !== undefined) headers.push("x-trace-id", traceId);
  if (reply.replayed) headers.push("x-cs-idempotency-replay", "1");
  const { result } = reply;
  if (result !== undefined) {
    const type = contentType(result.headers);
    send(
      response,
      200,
      result.isBase64Encoded ? Buffer.from(result.body, "base64") : result.body,
      type,
      headers,
    );
    return;
  }
  const failure = functionFailure(reply);
  const envelope = JSON.stringify(errorEnvelope(failure, requestId));
  const queued = failure.code === "CS_QUEUE_FULL";
  if (queued) {
    headers.push("retry-after", String(failure.retryAfterSeconds ?? 1), "x-queue-reject-reason", "timeout");
  }
  const status = queued ? 429 : reply.status === "timeout" ? 408 : 500;
  send(response, status, envelope, JSON_TYPE, headers);
}

function contentType(headers: Record<string, string>): string {
  for (const name in headers) {
    if (name.toLowerCase() !== "content-type") continue;
    const value = headers[name] ?? "";
    if (/^[\t\x20-\x7e]*$/.test(value)) return value;
  }
  return JSON_TYPE;
}

/** @param headers names and values in turn, all of our own or looked at */
function send(
  response: DirectResponse,
  status: number,
  body: string | Buffer,
  type: string,
  headers: string[],
): void {
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  headers.push("content-type", type, "content-length", String(length), "x-content-type-options", "nosniff");
  response.writeCleanHead(status, headers);
  endWith(response, body, length);
}
