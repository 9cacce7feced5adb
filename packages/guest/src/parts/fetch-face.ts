import type { FetchFace } from "../part-context.ts";
import { base64ToBytes, bytesToBase64 } from "./base64.ts";
import { Body } from "./body.ts";
import { Headers } from "./headers.ts";
import { bodyOf } from "./message.ts";
import { Request, RequestSeed } from "./request.ts";
import { Response } from "./response.ts";

/** An event in the shape of API Gateway's payload 2.0. */
interface WebEvent {
  rawPath?: string;
  rawQueryString?: string;
  headers?: Record<string, string>;
  requestContext?: { http?: { method?: string } };
  body?: string;
  isBase64Encoded?: boolean;
}

interface Envelope {
  statusCode: number;
  headers: Record<string, string>;
  cookies: string[];
  body: string;
  isBase64Encoded: boolean;
}

/** Where requests that came in another way than HTTP seem to go to. */
const SYNTHETIC_ADDRESS = "http://localhost/";
const TEXT_TYPE =
  /^text\/|[/+](?:json|xml|javascript|x-www-form-urlencoded|x-ndjson|graphql)\b|charset=utf-8/iu;

/** The two translations of fetch-style handlers. */
export const face: FetchFace = {
  toRequest: (event, isWeb) => (isWeb ? webRequest(event as WebEvent) : syntheticRequest(event)),
  isResponse: (value) => value instanceof Response,
  async toResult(response) {
    if (!(response instanceof Response)) {
      throw new TypeError("the handler's fetch must return a Response, like new Response('ok')");
    }
    if (response.type === "error") throw new TypeError("the handler returned Response.error()");
    const headers: Record<string, string> = Object.create(null) as Record<string, string>;
    for (const [name, value] of response.headers) {
      // The one header that several values cannot be joined in.
      if (name !== "set-cookie") headers[name] = value;
    }
    const cookies = response.headers.getSetCookie();
    return {
      statusCode: response.status,
      headers,
      cookies,
      ...(await bodyText(response)),
    } satisfies Envelope;
  },
};

function webRequest(event: WebEvent): Request {
  const headers = new Headers();
  for (const name of Object.keys(event.headers ?? {})) {
    try {
      headers.append(name, event.headers?.[name] ?? "");
    } catch {
      // A header the fetch standard does not know how to say; it stays visible to event-style handlers.
    }
  }
  const scheme = headers.get("x-forwarded-proto") === "https" ? "https" : "http";
  const query = event.rawQueryString ?? "";
  const address = `${scheme}://${headers.get("host") ?? "localhost"}${event.rawPath ?? "/"}`;
  const method = (event.requestContext?.http?.method ?? "GET").toUpperCase();
  const bytes = event.isBase64Encoded === true ? base64ToBytes(event.body ?? "") : (event.body ?? "");
  const body = bytes.length === 0 || method === "GET" || method === "HEAD" ? null : new Body(bytes, null);
  return new Request(
    new RequestSeed({ method, address: query === "" ? address : `${address}?${query}`, headers, body }),
  );
}

function syntheticRequest(event: unknown): Request {
  const body = new Body(JSON.stringify(event) ?? "null", "application/json");
  return new Request(
    new RequestSeed({ method: "POST", address: SYNTHETIC_ADDRESS, headers: new Headers(), body }),
  );
}

async function bodyText(response: Response): Promise<Pick<Envelope, "body" | "isBase64Encoded">> {
  const body = bodyOf(response);
  if (body === null) return { body: "", isBase64Encoded: false };
  if (body.pendingText !== undefined) return { body: await body.text(), isBase64Encoded: false };
  const bytes = await body.bytes();
  if (TEXT_TYPE.test(response.headers.get("content-type") ?? "")) {
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      return { body: text, isBase64Encoded: false };
    } catch {
      // Not what its type says; bytes go through as they are.
    }
  }
  return { body: bytesToBase64(bytes), isBase64Encoded: true };
}
