import { LIMITS } from "@sous/contract/limits";
import { fits } from "./bounded-text.ts";
import {
  asyncIterator,
  hasOwn,
  isArray,
  isInteger,
  iterator,
  objectKeys,
  quote,
  slice,
  stringify,
} from "./primordials.ts";

/** A handler's answer, ready for the border. */
export type Answer =
  | {
      kind: "reply";
      statusCode: number;
      headersJson: string;
      body: string;
      isBase64Encoded: boolean;
      /** Empty when there are none. */
      cookiesJson: string;
    }
  | { kind: "invalid"; message: string }
  | { kind: "too-large"; message: string };

interface Envelope {
  statusCode?: unknown;
  headers?: unknown;
  cookies?: unknown;
  body?: unknown;
  isBase64Encoded?: unknown;
}

interface Streamed {
  next?: unknown;
  toJSON?: unknown;
  [iterator]?: unknown;
  [asyncIterator]?: unknown;
}

/**
 * Makes the answer of whatever a handler returned: an envelope when one of its four keys is there (`cookies` alone is data
 * like any other), nothing for null and undefined, JSON for the rest.
 * Getters of the value run; it throws what they throw.
 */
export function answerOf(value: unknown): Answer {
  if (value === null || value === undefined) return reply(200, "{}", "", false);
  if (typeof value === "object" && isEnvelope(value)) return openEnvelope(value);
  if (typeof value === "object" && isStreamed(value)) {
    return invalid(
      "the handler returned a generator or a stream, which has no JSON: collect it and return the whole, or return it as the body of a Response",
    );
  }
  let json: unknown;
  try {
    json = stringify(value);
  } catch (error) {
    return invalid(`the result cannot be written as JSON${reasonOf(error)}`);
  }
  if (typeof json !== "string") {
    return invalid(`the result cannot be written as JSON: it is a ${typeof value}`);
  }
  return reply(200, "{}", json, false);
}

/** What a `function*` or `async function*` gives, and streams: JSON would make `{}` of them without a word. */
function isStreamed(value: object): boolean {
  const { next, toJSON, [iterator]: values, [asyncIterator]: later } = value as Streamed;
  return (
    (later !== undefined || (values !== undefined && typeof next === "function")) && toJSON === undefined
  );
}

function isEnvelope(value: object): boolean {
  return (
    hasOwn(value, "statusCode") ||
    hasOwn(value, "body") ||
    hasOwn(value, "headers") ||
    hasOwn(value, "isBase64Encoded")
  );
}

/** Reads a property of the value itself, so that nothing on `Object.prototype` counts as part of a result. */
const own = (value: Envelope, key: keyof Envelope): unknown => (hasOwn(value, key) ? value[key] : undefined);

function openEnvelope(value: Envelope): Answer {
  const statusCode = own(value, "statusCode") ?? 200;
  if (typeof statusCode !== "number" || !isInteger(statusCode) || statusCode < 100 || statusCode > 599) {
    return invalid("result.statusCode must be a whole number from 100 to 599");
  }
  const body = own(value, "body") ?? "";
  if (typeof body !== "string") {
    return invalid(`result.body must be a string, not ${nameOf(body)}; use JSON.stringify`);
  }
  const isBase64Encoded = own(value, "isBase64Encoded") ?? false;
  if (typeof isBase64Encoded !== "boolean") {
    return invalid(`result.isBase64Encoded must be true or false, not ${nameOf(isBase64Encoded)}`);
  }
  const headers = own(value, "headers") ?? {};
  if (typeof headers !== "object" || headers === null || isArray(headers)) {
    return invalid(`result.headers must be an object of strings, not ${nameOf(headers)}`);
  }
  const cookies = own(value, "cookies") ?? [];
  if (!isArray(cookies)) {
    return invalid(`result.cookies must be an array of strings, not ${nameOf(cookies)}`);
  }
  return withHeaders(headers, (headersJson) =>
    withCookies(cookies, (cookiesJson) => reply(statusCode, headersJson, body, isBase64Encoded, cookiesJson)),
  );
}

function withHeaders(headers: object, proceed: (headersJson: string) => Answer): Answer {
  const names = objectKeys(headers);
  if (names.length > LIMITS.responseHeadersMax) {
    return tooLarge(`result.headers holds more than ${LIMITS.responseHeadersMax} headers`);
  }
  let json = "{";
  let units = 0;
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string;
    const value = (headers as Record<string, unknown>)[name];
    if (name === "") return invalid("result.headers has a header without a name");
    if (typeof value !== "string") {
      return invalid(`result.headers["${slice(name, 0, 64)}"] must be a string, not ${nameOf(value)}`);
    }
    units += name.length + value.length;
    if (units > LIMITS.responseHeadersBytesMax) break;
    json += `${index === 0 ? "" : ","}${quote(name)}:${quote(value)}`;
  }
  json += "}";
  // Quotes and escapes count too: a generous measure, but taken of the very text that crosses the border.
  if (units > LIMITS.responseHeadersBytesMax || !fits(json, 2 * LIMITS.responseHeadersBytesMax)) {
    return tooLarge(`result.headers takes more than ${LIMITS.responseHeadersBytesMax} bytes`);
  }
  return proceed(json);
}

function withCookies(cookies: readonly unknown[], proceed: (cookiesJson: string) => Answer): Answer {
  const { length } = cookies;
  if (length > LIMITS.responseCookiesMax) {
    return tooLarge(`result.cookies holds more than ${LIMITS.responseCookiesMax} cookies`);
  }
  let json = "";
  for (let index = 0; index < length; index++) {
    const cookie = cookies[index];
    if (typeof cookie !== "string") {
      return invalid(`result.cookies[${index}] must be a string, not ${nameOf(cookie)}`);
    }
    if (cookie.length > LIMITS.responseCookieCharactersMax) {
      return tooLarge(
        `result.cookies[${index}] takes more than ${LIMITS.responseCookieCharactersMax} characters`,
      );
    }
    json += `${index === 0 ? "[" : ","}${quote(cookie)}`;
  }
  return proceed(json === "" ? "" : `${json}]`);
}

export function reply(
  statusCode: number,
  headersJson: string,
  body: string,
  isBase64Encoded: boolean,
  cookiesJson = "",
): Answer {
  if (!fits(body, LIMITS.resultAnswerBytesMax)) {
    return tooLarge(`the result's body takes more than ${LIMITS.resultAnswerBytesMax} bytes`);
  }
  return { kind: "reply", statusCode, headersJson, body, isBase64Encoded, cookiesJson };
}

const invalid = (message: string): Answer => ({ kind: "invalid", message });
const tooLarge = (message: string): Answer => ({ kind: "too-large", message });
const nameOf = (value: unknown): string =>
  value === null ? "null" : isArray(value) ? "array" : typeof value;

function reasonOf(error: unknown): string {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === "string" ? `: ${slice(message, 0, 300)}` : "";
}
