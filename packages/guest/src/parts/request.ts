import { Body, type BodyInit } from "./body.ts";
import { Headers, type HeadersInit } from "./headers.ts";
import { bodyOf, Message } from "./message.ts";

export type Redirect = "follow" | "manual" | "error";

export interface RequestInit {
  method?: string;
  headers?: HeadersInit;
  body?: BodyInit;
  signal?: AbortSignal | null;
  redirect?: Redirect;
}

/** The parts of a request, settled. Users cannot name this class, so none of it is checked again. */
export class RequestSeed {
  readonly method: string;
  /** May still have to be parsed. */
  readonly address: string;
  readonly headers: Headers;
  readonly body: Body | null;
  readonly redirect: Redirect;
  readonly signal: AbortSignal | undefined;

  constructor(fields: {
    method: string;
    address: string;
    headers: Headers;
    body: Body | null;
    redirect?: Redirect;
    signal?: AbortSignal | undefined;
  }) {
    this.method = fields.method;
    this.address = fields.address;
    this.headers = fields.headers;
    this.body = fields.body;
    this.redirect = fields.redirect ?? "follow";
    this.signal = fields.signal;
  }
}

/** A request. @see https://fetch.spec.whatwg.org/#request-class */
export class Request extends Message {
  readonly method: string;
  readonly redirect: Redirect;
  readonly #address: string;
  #url: string | undefined;
  #signal: AbortSignal | undefined;

  constructor(input: unknown, init?: RequestInit | null) {
    const seed = input instanceof RequestSeed ? input : seedOf(input, init ?? {});
    super(seed.headers, seed.body);
    this.method = seed.method;
    this.redirect = seed.redirect;
    this.#address = seed.address;
    this.#signal = seed.signal;
  }

  /** Parsed when first asked for: many handlers of events never look at it. */
  get url(): string {
    this.#url ??= URL.parse(this.#address)?.href ?? this.#address;
    return this.#url;
  }
  get signal(): AbortSignal {
    this.#signal ??= new AbortController().signal;
    return this.#signal;
  }
  clone(): Request {
    const { method, headers, redirect } = this;
    const body = bodyOf(this)?.clone() ?? null;
    const signal = this.#signal;
    const fields = { method, address: this.url, headers: new Headers(headers), body, redirect, signal };
    return new Request(new RequestSeed(fields));
  }
  get [Symbol.toStringTag](): string {
    return "Request";
  }
}

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/u;
const NORMALISED = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);
const REFUSED = new Set(["CONNECT", "TRACE", "TRACK"]);
const REDIRECTS = new Set<unknown>(["follow", "manual", "error"]);

function seedOf(input: unknown, init: RequestInit): RequestSeed {
  const source = input instanceof Request ? input : undefined;
  const method = init.method === undefined ? (source?.method ?? "GET") : methodOf(init.method);
  const { body: given = null, redirect = source?.redirect ?? "follow" } = init;
  if (given !== null && (method === "GET" || method === "HEAD")) {
    throw new TypeError(`a ${method} request cannot have a body`);
  }
  if (!REDIRECTS.has(redirect)) throw new TypeError(`"${redirect}" is not a way to treat redirects`);
  return new RequestSeed({
    method,
    address: source === undefined ? addressOf(input) : source.url,
    headers: new Headers(init.headers ?? source?.headers),
    body: given === null && source !== undefined ? takeBody(source) : Body.from(given),
    redirect,
    signal: init.signal === undefined ? source?.signal : (init.signal ?? undefined),
  });
}

function addressOf(input: unknown): string {
  const url = URL.parse(`${input as string}`);
  if (url === null) throw new TypeError(`"${`${input as string}`.slice(0, 200)}" is not a full address`);
  if (url.username !== "" || url.password !== "") {
    throw new TypeError("the address of a request cannot hold a user name or a password");
  }
  return url.href;
}

function methodOf(given: unknown): string {
  const method = `${given as string}`;
  const upper = method.toUpperCase();
  if (!METHOD.test(method) || REFUSED.has(upper)) {
    throw new TypeError(`"${method.slice(0, 50)}" is not a method requests can have`);
  }
  return NORMALISED.has(upper) ? upper : method;
}

/** A request made of another takes the body with it: the first one counts as read. */
function takeBody(source: Request): Body | null {
  const body = bodyOf(source);
  return body === null ? null : body.take();
}
