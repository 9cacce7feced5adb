import type { DirectRequest } from "../http/direct-request.ts";

/** Never passed to a function: they are the platform's, or speak of the caller's other doors. */
const WITHHELD = new Set(["authorization", "proxy-authorization"]);
const PLATFORM_COOKIE = /^sous[_-]/i;

export interface WebEventInput {
  request: DirectRequest;
  rawPath: string;
  query: string;
  body: Buffer;
  /** Versions that let everybody in get `Authorization` as sent. */
  passAuthorization: boolean;
}

/** Builds the event of a web request in the API Gateway v2 shape, as JSON text. Its sizes are checked before. */
export function webEvent(input: WebEventInput): string {
  const { request, rawPath, query, body } = input;
  const { method } = request;
  return JSON.stringify({
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString: query,
    headers: eventHeaders(request, input.passAuthorization),
    requestContext: { http: { method, path: rawPath } },
    body: body.length === 0 ? "" : body.toString("base64"),
    isBase64Encoded: true,
  });
}

/** Lower-case names, several values joined by a comma; copied pair by pair so that no name is special. */
function eventHeaders(request: DirectRequest, passAuthorization: boolean): Record<string, string> {
  const raw = request.rawHeaders;
  const headers = Object.create(null) as Record<string, string>;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    let value = raw[i + 1] as string;
    if (WITHHELD.has(name) ? !(passAuthorization && name === "authorization") : name.startsWith("x-tikti-"))
      continue;
    if (name === "cookie") value = withoutPlatformCookies(value);
    const known = headers[name];
    headers[name] = known === undefined ? value : `${known}${name === "cookie" ? "; " : ","}${value}`;
  }
  return headers;
}

function withoutPlatformCookies(value: string): string {
  if (!/sous[_-]/i.test(value)) return value;
  return value
    .split(";")
    .map((cookie) => cookie.trim())
    .filter((cookie) => !PLATFORM_COOKIE.test(cookie))
    .join("; ");
}
