import type { OutgoingHttpHeaders } from "node:http";
import { type ErrorCode, errorEnvelope, PlatformError } from "@sous/contract";
import { API_SECURITY_HEADERS } from "./security-headers.ts";

/** What fastify and node:http say about a request of the client's making, as codes of the catalogue. */
const FOREIGN_CODES: Readonly<Record<string, { code: ErrorCode; message: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { code: "CS_PAYLOAD_TOO_LARGE", message: "the body is too large" },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: "CS_VALIDATION_FAILED",
    message: "the body must be JSON; send `content-type: application/json`",
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: "CS_VALIDATION_FAILED",
    message: "the body does not have the length its header says",
  },
  FST_ERR_CTP_EMPTY_JSON_BODY: { code: "CS_VALIDATION_FAILED", message: "the body is empty" },
  FST_ERR_CTP_INVALID_JSON_BODY: { code: "CS_VALIDATION_FAILED", message: "the body is not JSON" },
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: {
    code: "CS_METHOD_NOT_ALLOWED",
    message: "no path takes this method; see /docs",
  },
  FST_ERR_BAD_URL: { code: "CS_VALIDATION_FAILED", message: "the path is not properly encoded" },
  FST_ERR_MAX_PARAM_LENGTH: { code: "CS_VALIDATION_FAILED", message: "a part of the path is too long" },
};

/**
 * Brings anything that was thrown into the catalogue.
 * @param error a PlatformError, an error of the HTTP framework about the request, or anything else
 * @returns a PlatformError; of unknown errors nothing shows but `cause`, for the log
 */
export function toPlatformError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  if (error instanceof Error) {
    const known = "code" in error && typeof error.code === "string" ? FOREIGN_CODES[error.code] : undefined;
    if (known !== undefined) return new PlatformError(known.code, known.message, { cause: error });
    // The JSON parser of the framework: a bad body, or one with a __proto__ key.
    if (error instanceof SyntaxError && "statusCode" in error && error.statusCode === 400) {
      return new PlatformError("CS_VALIDATION_FAILED", "the body is not JSON", { cause: error });
    }
  }
  return new PlatformError("CS_INTERNAL", "something went wrong here; quote the request id", {
    cause: error,
  });
}

/** @returns the headers an error answer has beside those of its body: Retry-After, WWW-Authenticate */
export function errorHeaders(error: PlatformError): Record<string, string> {
  const headers: Record<string, string> = {};
  if (error.retryAfterSeconds !== undefined) {
    headers["retry-after"] = String(Math.max(1, Math.ceil(error.retryAfterSeconds)));
  }
  if (error.status === 401) headers["www-authenticate"] = "Bearer";
  return headers;
}

/** A response of Node's, or a direct one. */
export interface Answerable {
  readonly headersSent: boolean;
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
  end(body: Buffer): unknown;
  destroy(): unknown;
}

/**
 * Answers a raw request with the error envelope of SPEC 6; does nothing when the answer has begun, but ends it.
 * @param headers further headers, e.g. `x-queue-reject-reason`
 */
export function sendError(
  response: Answerable,
  error: PlatformError,
  requestId: string,
  headers: OutgoingHttpHeaders = {},
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = Buffer.from(JSON.stringify(errorEnvelope(error, requestId)));
  response.writeHead(error.status, {
    ...API_SECURITY_HEADERS,
    ...errorHeaders(error),
    ...headers,
    "content-type": "application/json; charset=utf-8",
    "content-length": body.length,
    "x-request-id": requestId,
  });
  response.end(body);
}
