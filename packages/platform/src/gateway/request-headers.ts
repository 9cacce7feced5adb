import type { IncomingMessage } from "node:http";
import { PlatformError } from "@sous/contract";
import { parseTraceparent } from "../telemetry/traceparent.ts";

/** What the platform itself reads from a request's headers. */
export interface RequestHeaders {
  idempotencyKey: string | undefined;
  /** The caller waits no longer than this, in milliseconds. */
  timeoutMs: number | undefined;
  traceparent: string | undefined;
  /** The caller's own trace id, sent back as it came. */
  traceId: string | undefined;
  /** `Prefer: respond-async`. */
  respondAsync: boolean;
}

const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,128}$/;
const TRACE_ID = /^[\x21-\x7e]{1,128}$/;

/** @throws CS_VALIDATION_FAILED for a key or timeout that cannot be; unusable trace headers are ignored */
export function requestHeaders(request: IncomingMessage): RequestHeaders {
  const { headers } = request;
  const key = headers["idempotency-key"];
  if (key !== undefined && (typeof key !== "string" || !IDEMPOTENCY_KEY.test(key))) {
    throw new PlatformError("CS_VALIDATION_FAILED", "Idempotency-Key must be 1–128 printable characters");
  }
  const traceparent = headers["traceparent"];
  const traceId = headers["x-trace-id"];
  const prefer = headers["prefer"];
  return {
    idempotencyKey: key,
    timeoutMs: timeoutOf(headers["x-timeout-ms"]),
    traceparent:
      typeof traceparent === "string" && parseTraceparent(traceparent) !== undefined
        ? traceparent
        : undefined,
    traceId: typeof traceId === "string" && TRACE_ID.test(traceId) ? traceId : undefined,
    respondAsync: typeof prefer === "string" && prefer.includes("respond-async"),
  };
}

function timeoutOf(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  const value = typeof header === "string" && /^[1-9][0-9]{0,6}$/.test(header) ? Number(header) : Number.NaN;
  if (!(value <= 900_000)) throw new PlatformError("CS_VALIDATION_FAILED", "X-Timeout-Ms must be 1–900000");
  return value;
}
