import { type HttpMethod, PlatformError } from "@sous/contract";
import { dropBodyHeaders, dropCredentials, type Headers } from "./egress-headers.ts";

export type EgressMethod = HttpMethod;

/** One call on its way out, changed by redirects. */
export interface Journey {
  url: URL;
  method: EgressMethod;
  headers: Headers;
  body: Buffer | undefined;
}

const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308]);

/** @returns where an answer redirects to, as it stands there, or `undefined` */
export function redirectTarget(
  status: number,
  headers: Record<string, string | string[] | undefined>,
): string | undefined {
  const { location } = headers;
  if (!REDIRECT_STATUSES.has(status)) return undefined;
  return Array.isArray(location) ? location[0] : location;
}

/**
 * Turns a journey to where a redirect points, as browsers do: 303, and a POST after 301 or 302, go on as GET
 * without a body; credentials stay behind when the origin changes.
 * @param target already judged
 * @throws CS_RUNTIME_CAPABILITY_DENIED for https → http
 * @see https://fetch.spec.whatwg.org/#http-redirect-fetch
 */
export function followRedirect(journey: Journey, target: URL, status: number): void {
  if (journey.url.protocol === "https:" && target.protocol === "http:") {
    throw new PlatformError(
      "CS_RUNTIME_CAPABILITY_DENIED",
      "cs.http.fetch: a redirect leads from https to http",
    );
  }
  if (target.origin !== journey.url.origin) dropCredentials(journey.headers);
  const method = methodAfter(journey.method, status);
  if (method !== journey.method || (status === 303 && method === "GET")) {
    journey.method = method;
    journey.body = undefined;
    dropBodyHeaders(journey.headers);
  }
  journey.url = target;
}

/** @returns the method of the hop that a redirect leads to */
export function methodAfter(method: EgressMethod, status: number): EgressMethod {
  const becomesGet = status === 303 ? method !== "HEAD" : status < 303 && method === "POST";
  return becomesGet ? "GET" : method;
}
