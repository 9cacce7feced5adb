import { errorCodeOf, type FunctionError, type FunctionResult, PlatformError } from "@sous/contract";
import type { InvocationReply } from "../activations/invocation-reply.ts";
import type { DirectResponse } from "../http/direct-response.ts";

/** Headers of functions that are the server's to set, or speak of one connection only. */
const DROPPED = new Set([
  "connection",
  "content-length",
  "date",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "server",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-request-id",
  "x-cs-activation-id",
]);
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// Tabs and the printable characters of Latin-1: what a header value may hold.
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Lines may be broken, and the letters be those of URLs; anything else would be left out in silence. */
const NOT_BASE64 = /[^A-Za-z0-9+/=_\-\s]/;

export interface WebAnswerOptions {
  requestId: string;
  /** Added to every answer; used where functions share a port with the console. */
  sandboxPages: boolean;
}

/**
 * Writes a function's result as the HTTP answer of a web call.
 * @throws CS_RUNTIME_EXCEPTION when the result cannot be one: a status of 1xx, a header or a cookie that HTTP refuses, a
 *   body that is no base64 where it says so
 */
export function sendWebResult(
  response: DirectResponse,
  reply: InvocationReply,
  result: FunctionResult,
  options: WebAnswerOptions,
): void {
  const { statusCode, headers, body, isBase64Encoded, cookies = [] } = result;
  if (statusCode < 200) throw unsendable(reply, `status ${statusCode}; 200–599 can be sent`);
  if (isBase64Encoded && NOT_BASE64.test(body)) throw unsendable(reply, "a body that is not base64");
  const out: Record<string, string | string[]> = {};
  let typed = false;
  for (const name in headers) {
    const lower = name.toLowerCase();
    if (DROPPED.has(lower)) continue;
    const value = headers[name] as string;
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value)) {
      throw unsendable(reply, `a header that cannot be sent: ${JSON.stringify(name.slice(0, 80))}`);
    }
    if (lower === "content-type") typed = true;
    out[lower] = value;
  }
  const wrong = cookies.findIndex((cookie) => !HEADER_VALUE.test(cookie));
  if (wrong !== -1) throw unsendable(reply, `a cookie that cannot be sent: cookies[${wrong}]`);
  if (cookies.length > 0) out["set-cookie"] = [out["set-cookie"] ?? [], cookies].flat();
  const empty = statusCode === 204 || statusCode === 304;
  if (!typed && !empty) out["content-type"] = "application/json; charset=utf-8";
  out["x-request-id"] = options.requestId;
  out["x-cs-activation-id"] = reply.activation_id;
  out["x-content-type-options"] ??= "nosniff";
  if (options.sandboxPages) out["content-security-policy"] = "sandbox";
  if (reply.replayed) out["x-cs-idempotency-replay"] = "1";
  if (empty) {
    response.writeHead(statusCode, out);
    response.end();
    return;
  }
  const payload = isBase64Encoded ? Buffer.from(body, "base64") : body;
  const length = typeof payload === "string" ? Buffer.byteLength(payload) : payload.length;
  out["content-length"] = String(length);
  response.writeHead(statusCode, out);
  endWith(response, payload, length);
}

/** The activation ended well, and its result is no answer to the web. */
const unsendable = ({ activation_id }: InvocationReply, what: string): PlatformError =>
  new PlatformError("CS_RUNTIME_EXCEPTION", `the function answered with ${what}`, {
    details: { activation_id },
  });

/**
 * Ends an answer with its body. Text of one byte a character goes out as such, head and body in one piece
 * without a second encoding.
 * @param bytes length of the body in UTF-8
 */
export function endWith(response: DirectResponse, body: string | Buffer, bytes: number): void {
  if (typeof body === "string") response.end(body, bytes === body.length ? "latin1" : "utf8");
  else response.end(body);
}

/** @returns the platform's error for a failed function */
export function functionFailure(reply: InvocationReply): PlatformError {
  const error: FunctionError = reply.error ?? {
    type: "Exception",
    message: "the function failed without saying why",
  };
  const details: Record<string, unknown> = { activation_id: reply.activation_id, type: error.type };
  if (error.stack !== undefined) details["stack"] = error.stack;
  Object.assign(details, error.details);
  // A queue that was too long is the caller's to wait for, not a fault of the function.
  if (error.type === "Expired") {
    return new PlatformError("CS_QUEUE_FULL", error.message, {
      details: { ...details, reason: "timeout" },
      retryAfterSeconds: 2,
    });
  }
  return new PlatformError(errorCodeOf(error.type), error.message, { details });
}
