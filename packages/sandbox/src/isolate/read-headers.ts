import { LIMITS } from "@sous/contract";
import { FrameError } from "./frame-reader.ts";

const NO_HEADERS: Record<string, string> = Object.freeze({ __proto__: null }) as unknown as Record<
  string,
  string
>;

/**
 * Reads the headers of a function's answer, copying only strings into an object without a prototype.
 * @throws FrameError when it is not an object of strings within bounds: the guest checked that before
 */
export function readHeaders(json: string): Record<string, string> {
  if (json === "{}" || json === "") return NO_HEADERS;
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw new FrameError("headers are not JSON", { cause: error });
  }
  if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed)) {
    throw new FrameError("headers are not an object");
  }
  const headers = Object.create(null) as Record<string, string>;
  const entries = Object.entries(parsed);
  if (entries.length > LIMITS.responseHeadersMax) throw new FrameError(`${entries.length} headers`);
  for (const [name, value] of entries) {
    if (typeof value !== "string") throw new FrameError("header value is not a string");
    headers[name] = value;
  }
  return headers;
}
