import {
  bytesToBase64,
  isFinite,
  isArrayBuffer,
  NativeTypeError,
  NativeUint8Array,
  objectKeys,
  quote,
  type Table,
  toText,
  typedArrayName,
} from "./primordials.ts";
import { readOptions } from "./read-options.ts";

/** What `cs.http.fetch` takes after the address. */
const OPTIONS = {
  __proto__: null,
  method: true,
  headers: true,
  body: true,
  isBase64Encoded: true,
  timeoutMs: true,
  redirect: true,
} as unknown as Table<true>;

/**
 * Writes the arguments of `cs.http.fetch` as JSON: the address, then method, headers, body and timeout, as far as
 * they were given. Bytes become base64.
 * @throws TypeError naming the option that has the wrong type, or that there is not
 */
export function httpFetchArguments(url: unknown, options: unknown): string {
  const address = quote(typeof url === "string" ? url : toText(url));
  const given = readOptions("cs.http.fetch", options, OPTIONS);
  if (given === undefined) return `[${address},{}]`;
  const { method, headers, body, isBase64Encoded, timeoutMs, redirect } = given;
  let json = "";
  const put = (name: string, text: string): void => {
    json += `${json === "" ? "" : ","}"${name}":${text}`;
  };
  if (method !== undefined) {
    if (typeof method !== "string") throw wrong("method must be a string");
    put("method", quote(method));
  }
  if (redirect !== undefined) {
    if (typeof redirect !== "string") throw wrong("redirect must be a string");
    put("redirect", quote(redirect));
  }
  if (headers !== undefined && headers !== null) put("headers", headersJson(headers));
  if (body !== undefined && body !== null) {
    const encoded = typeof body === "string" ? body : base64Of(body);
    put("body", quote(encoded));
    if (typeof body !== "string" || isBase64Encoded === true) put("isBase64Encoded", "true");
  }
  if (timeoutMs !== undefined) {
    if (typeof timeoutMs !== "number" || !isFinite(timeoutMs)) throw wrong("timeoutMs must be a number");
    put("timeoutMs", toText(timeoutMs));
  }
  return `[${address},{${json}}]`;
}

function headersJson(headers: unknown): string {
  if (typeof headers !== "object" || headers === null) throw wrong("headers must be an object of strings");
  const names = objectKeys(headers);
  let json = "";
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string;
    const value = (headers as Record<string, unknown>)[name];
    if (value === undefined) continue;
    const text = typeof value === "string" ? value : toText(value);
    json += `${json === "" ? "" : ","}${quote(name)}:${quote(text)}`;
  }
  return `{${json}}`;
}

function base64Of(body: unknown): string {
  if (typedArrayName(body) === "Uint8Array") return bytesToBase64(body as Uint8Array);
  if (isArrayBuffer(body)) return bytesToBase64(new NativeUint8Array(body));
  throw wrong("body must be a string, a Uint8Array or an ArrayBuffer");
}

const wrong = (what: string): TypeError => new NativeTypeError(`cs.http.fetch: ${what}`);
