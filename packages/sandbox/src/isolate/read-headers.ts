import { LIMITS } from "@sous/contract";
import { FrameError } from "./frame-reader.ts";

/** Shared by all answers without headers; nobody may change it. Not frozen: V8 prints frozen objects the slow way. */
const NO_HEADERS: Record<string, string> = {};

/**
 * Reads the headers of a function's answer, copying only strings, and no name that means something to an object.
 * @throws FrameError when it is not an object of strings within bounds: the guest checked that before
 */
export function readHeaders(json: string): Record<string, string> {
  if (json === "{}" || json === "") return NO_HEADERS;
  const parsed = parse(json, "headers");
  if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed)) {
    throw new FrameError("headers are not an object");
  }
  const headers: Record<string, string> = {};
  const entries = Object.entries(parsed);
  if (entries.length > LIMITS.responseHeadersMax) throw new FrameError(`${entries.length} headers`);
  for (const [name, value] of entries) {
    if (typeof value !== "string") throw new FrameError("header value is not a string");
    if (name !== "__proto__") headers[name] = value;
  }
  return headers;
}

/**
 * Reads the cookies of a function's answer.
 * @throws FrameError when they are not an array of strings within bounds: the guest checked that before
 */
export function readCookies(json: string): string[] {
  const parsed = parse(json, "cookies");
  if (!Array.isArray(parsed)) throw new FrameError("cookies are not an array");
  if (parsed.length > LIMITS.responseCookiesMax) throw new FrameError(`${parsed.length} cookies`);
  for (const cookie of parsed as unknown[]) {
    if (typeof cookie !== "string") throw new FrameError("cookie is not a string");
    if (cookie.length > LIMITS.responseCookieCharactersMax) throw new FrameError("cookie is too long");
  }
  return parsed as string[];
}

function parse(json: string, what: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new FrameError(`${what} are not JSON`, { cause: error });
  }
}
