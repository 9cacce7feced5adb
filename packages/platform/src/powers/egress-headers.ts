import { DEPTH_HEADER, LIMITS, PlatformError } from "@sous/contract";

// Those that steer the connection or a proxy, that we set ourselves, or that open a cloud's metadata service.
const DROPPED_REQUEST = new Set([
  "host",
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  "content-length",
  "accept-encoding",
  "forwarded",
  "via",
  "x-real-ip",
  "metadata",
  "metadata-flavor",
  "x-google-metadata-request",
]);
const DROPPED_REQUEST_PREFIXES = [DEPTH_HEADER, "proxy-", "sec-", "x-forwarded-", "x-aws-ec2-metadata-token"];
const DROPPED_RESPONSE = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
  "trailer",
  "te",
]);
const CREDENTIAL = /^(?:authorization|cookie)$|auth|token|secret|api-?key|signature/;
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,128}$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const USER_AGENT = "sous";

export type Headers = Record<string, string>;

/**
 * Judges the headers a function wants to send. Those that are the platform's business are left out without a
 * word, as browsers do.
 * @returns lower-case headers in an object without a prototype
 * @throws CS_VALIDATION_FAILED for a name or value that HTTP does not allow, or too many
 */
export function checkRequestHeaders(wanted: Iterable<readonly [string, unknown]>): Headers {
  const headers: Headers = Object.create(null) as Headers;
  let bytes = 0;
  let count = 0;
  for (const [spelling, value] of wanted) {
    const name = spelling.toLowerCase();
    if (!NAME.test(name))
      throw invalid(`the header name ${JSON.stringify(name.slice(0, 64))} is not allowed`);
    if (typeof value !== "string") throw invalid(`the value of header ${name} is not a string`);
    if (!VALUE.test(value)) throw invalid(`the value of header ${name} holds characters HTTP does not allow`);
    if (DROPPED_REQUEST.has(name) || DROPPED_REQUEST_PREFIXES.some((prefix) => name.startsWith(prefix)))
      continue;
    count += 1;
    bytes += name.length + value.length + 4;
    if (count > LIMITS.responseHeadersMax || bytes > LIMITS.responseHeadersBytesMax) {
      throw invalid(
        `more than ${LIMITS.responseHeadersMax} headers or ${LIMITS.responseHeadersBytesMax} bytes of them`,
      );
    }
    headers[name] = value.trim();
  }
  headers["user-agent"] ??= USER_AGENT;
  // Never br: its decoder had a hole in the Node we run on. Anything but gzip we would have to refuse.
  headers["accept-encoding"] = "gzip, identity";
  return headers;
}

/** Drops what must not follow a redirect to another origin. */
export function dropCredentials(headers: Headers): void {
  for (const name of Object.keys(headers)) if (CREDENTIAL.test(name)) delete headers[name];
}

/** Drops what described a body that is not sent any more. */
export function dropBodyHeaders(headers: Headers): void {
  for (const name of Object.keys(headers)) if (name.startsWith("content-")) delete headers[name];
}

/**
 * Flattens the headers of an answer: lower-case, several values joined by a comma, none that belong to the
 * connection, none that tell of an encoding that is already undone.
 */
export function flattenResponseHeaders(
  raw: Record<string, string | string[] | undefined>,
  decoded: boolean,
): Headers {
  const headers: Headers = Object.create(null) as Headers;
  for (const [name, value] of Object.entries(raw)) {
    if (value === undefined || DROPPED_RESPONSE.has(name)) continue;
    if (decoded && (name === "content-encoding" || name === "content-length")) continue;
    headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return headers;
}

/** @returns about how many bytes headers take on the wire */
export function headerBytes(headers: Record<string, string | string[] | undefined>): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value ?? ""]) bytes += name.length + one.length + 4;
  }
  return bytes;
}

const invalid = (problem: string): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `cs.http.fetch: ${problem}`);
