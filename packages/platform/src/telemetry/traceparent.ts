/** A W3C trace context: which trace a request belongs to and which span it comes from. */
export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  traceId: string;
  /** 16 lower-case hex digits, not all zero. */
  spanId: string;
  sampled: boolean;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * Reads a `traceparent` header.
 * @returns the context, or `undefined` where it is not valid
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function parseTraceparent(header: string | undefined): TraceContext | undefined {
  if (header === undefined || header.length > 128) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", rest] = TRACEPARENT.exec(header) ?? [];
  if (version === undefined || version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** @returns the header for a context, version 00 */
export const formatTraceparent = ({ traceId, spanId, sampled }: TraceContext): string =>
  `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;

/**
 * Gives a request its own span: a child of the caller's trace, or the root of a new one where the header is
 * missing or wrong.
 * @param randomBytes returns that many random bytes
 */
export function continueTrace(
  header: string | undefined,
  randomBytes: (size: number) => Uint8Array,
): TraceContext {
  const parent = parseTraceparent(header);
  const hex = (size: number) => Buffer.from(randomBytes(size)).toString("hex");
  return {
    traceId: parent?.traceId ?? hex(16),
    spanId: hex(8),
    sampled: parent?.sampled ?? false,
  };
}
