import { DEPTH_HEADER, LIMITS, PlatformError } from "@sous/contract";
import { parseTraceparent } from "../telemetry/traceparent.ts";

/** What the platform itself reads from a request's headers. */
export interface RequestHeaders {
  authorization: string | undefined;
  idempotencyKey: string | undefined;
  /** The caller waits no longer than this, in milliseconds. */
  timeoutMs: number | undefined;
  /** Queued work is not started before this many milliseconds have passed. */
  delayMs: number | undefined;
  traceparent: string | undefined;
  /** The caller's own trace id, sent back as it came. */
  traceId: string | undefined;
  /** `Prefer: respond-async`. */
  respondAsync: boolean;
  /** How many functions called one another up to this request; our egress says so, 0 where nobody does. */
  depth: number;
}

/** @returns what a request without any of them asks for; written out, as V8 copies by `...` slowly */
const noRequestHeaders = (): RequestHeaders => ({
  authorization: undefined,
  idempotencyKey: undefined,
  timeoutMs: undefined,
  delayMs: undefined,
  traceparent: undefined,
  traceId: undefined,
  respondAsync: false,
  depth: 0,
});

/** What a request asks for until its headers are read. */
export const NO_REQUEST_HEADERS: RequestHeaders = noRequestHeaders();

/** Lengths of the names that count; most headers are passed by without a look at their letters. */
const LENGTHS = new Set([6, 10, 11, 12, 13, 15]);
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,128}$/;
const DEPTH = /^[0-9]{1,6}$/;
const TRACE_ID = /^[\x21-\x7e]{1,128}$/;

/**
 * Reads them in one pass over the headers as received: the parsed object of all of them is never made.
 * A header that must be one value and comes twice counts as wrong.
 * @param rawHeaders names and values in turn
 * @throws CS_VALIDATION_FAILED for a key or timeout that cannot be; unusable trace headers are ignored
 */
export function requestHeaders(rawHeaders: readonly string[]): RequestHeaders {
  const found = noRequestHeaders();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = rawHeaders[i + 1] as string;
    switch (LENGTHS.has(name.length) ? name.toLowerCase() : "") {
      case "authorization":
        // As Node does: the first counts.
        found.authorization ??= value;
        break;
      case "idempotency-key":
        if (found.idempotencyKey !== undefined || !IDEMPOTENCY_KEY.test(value)) {
          throw new PlatformError(
            "CS_VALIDATION_FAILED",
            "Idempotency-Key must be 1–128 printable characters, once",
          );
        }
        found.idempotencyKey = value;
        break;
      case "x-timeout-ms":
        found.timeoutMs = timeoutOf(value);
        break;
      case "x-delay-ms":
        found.delayMs = delayOf(value);
        break;
      case "traceparent":
        found.traceparent = parseTraceparent(value) === undefined ? undefined : value;
        break;
      case "x-trace-id":
        found.traceId = TRACE_ID.test(value) ? value : undefined;
        break;
      case "prefer":
        found.respondAsync ||= value.includes("respond-async");
        break;
      case DEPTH_HEADER:
        // Whoever makes one up harms but himself: a larger one is refused sooner.
        if (DEPTH.test(value)) found.depth = Math.max(found.depth, Number(value));
        break;
      default:
    }
  }
  return found;
}

function timeoutOf(header: string): number {
  const value = /^[1-9][0-9]{0,6}$/.test(header) ? Number(header) : Number.NaN;
  if (!(value <= 900_000)) throw new PlatformError("CS_VALIDATION_FAILED", "X-Timeout-Ms must be 1–900000");
  return value;
}

function delayOf(header: string): number {
  const value = /^[0-9]{1,9}$/.test(header) ? Number(header) : Number.NaN;
  if (value <= LIMITS.asyncDelayMaxMs) return value;
  throw new PlatformError("CS_VALIDATION_FAILED", `X-Delay-Ms must be 0–${LIMITS.asyncDelayMaxMs}`);
}
