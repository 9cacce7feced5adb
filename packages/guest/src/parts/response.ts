import { Body, type BodyInit } from "./body.ts";
import { Headers, type HeadersInit } from "./headers.ts";
import { bodyOf, Message } from "./message.ts";

export interface ResponseInit {
  status?: number;
  statusText?: string;
  headers?: HeadersInit;
}

/** A response as it came from the host, or a network error; users cannot name this class. */
export class ResponseSeed {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly body: Body | null;
  readonly url: string;
  readonly redirected: boolean;
  readonly type: "default" | "basic" | "error";

  constructor(fields: {
    status: number;
    headers: Headers;
    body: Body | null;
    statusText?: string;
    url?: string;
    redirected?: boolean;
    type?: "default" | "basic" | "error";
  }) {
    this.status = fields.status;
    this.statusText = fields.statusText ?? "";
    this.headers = fields.headers;
    this.body = fields.body;
    this.url = fields.url ?? "";
    this.redirected = fields.redirected ?? false;
    this.type = fields.type ?? "default";
  }
}

const EMPTY_STATUSES = new Set([101, 103, 204, 205, 304]);
const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308]);
const REASON = /^[\t\x20-\x7e\x80-\xff]*$/u;

/** @returns whether answers of that status never have a body */
export const isEmptyStatus = (status: number): boolean => EMPTY_STATUSES.has(status);

/** A response. @see https://fetch.spec.whatwg.org/#response-class */
export class Response extends Message {
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  readonly redirected: boolean;
  readonly type: "default" | "basic" | "error";

  constructor(body?: BodyInit | ResponseSeed, init?: ResponseInit | null) {
    const seed = body instanceof ResponseSeed ? body : seedOf(Body.from(body), init ?? {});
    super(seed.headers, seed.body);
    this.status = seed.status;
    this.statusText = seed.statusText;
    this.url = seed.url;
    this.redirected = seed.redirected;
    this.type = seed.type;
  }

  static json(value: unknown, init?: ResponseInit): Response {
    const text: unknown = JSON.stringify(value);
    if (typeof text !== "string") throw new TypeError("the value has no JSON");
    return new Response(new ResponseSeed(seedOf(new Body(text, "application/json"), init ?? {})));
  }
  static redirect(url: unknown, status = 302): Response {
    const address = new URL(`${url as string}`).href;
    if (!REDIRECT_STATUSES.has(status)) throw new RangeError(`${status} is not a redirect status`);
    const headers = new Headers({ location: address });
    return new Response(new ResponseSeed({ status, headers, body: null }));
  }
  static error(): Response {
    return new Response(new ResponseSeed({ status: 0, headers: new Headers(), body: null, type: "error" }));
  }

  get ok(): boolean {
    return this.status >= 200 && this.status <= 299;
  }
  clone(): Response {
    const { status, statusText, url, redirected, type } = this;
    const body = bodyOf(this)?.clone() ?? null;
    const headers = new Headers(this.headers);
    return new Response(new ResponseSeed({ status, statusText, headers, body, url, redirected, type }));
  }
  get [Symbol.toStringTag](): string {
    return "Response";
  }
}

function seedOf(body: Body | null, init: ResponseInit): ResponseSeed {
  const status = init.status === undefined ? 200 : Number(init.status) & 0xffff;
  if (status < 200 || status > 599) throw new RangeError("a response's status must be 200 to 599");
  const statusText = `${init.statusText ?? ""}`;
  if (!REASON.test(statusText)) throw new TypeError("statusText holds characters it cannot have");
  if (body !== null && isEmptyStatus(status)) throw new TypeError(`a response of ${status} has no body`);
  return new ResponseSeed({ status, statusText, headers: new Headers(init.headers), body });
}
