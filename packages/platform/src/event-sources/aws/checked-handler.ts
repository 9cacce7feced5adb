import { Readable } from "node:stream";
import { PlatformError } from "@sous/contract";
import type { Egress, EgressRequest } from "../../powers/create-egress.ts";

/** A request as the clients of AWS give it to their transport. */
interface WireRequest {
  protocol: string;
  hostname: string;
  port?: number;
  path: string;
  query?: Record<string, string | (string | null)[] | null>;
  method: string;
  headers: Record<string, string>;
  body?: unknown;
}

interface WireResponse {
  statusCode: number;
  headers: Record<string, string>;
  body: Readable;
}

/** The transport of a client. */
export interface CheckedHandler {
  readonly metadata: { handlerProtocol: string };
  handle(request: WireRequest): Promise<{ response: WireResponse }>;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): Record<string, never>;
}

/** What the transport sets itself. */
const OWN_HEADERS: ReadonlySet<string> = new Set(["host", "content-length", "expect", "connection"]);
const METHODS: readonly string[] = ["GET", "HEAD", "POST", "PUT", "DELETE"];

/**
 * Makes a transport for the official clients of AWS that goes through the guard of all calls out: names are resolved once,
 * addresses that are not public are refused, and so are redirects. Addresses of sources are tenants' to choose.
 */
export function createCheckedHandler(
  egress: Pick<Egress, "fetch">,
  tenant: string,
  timeoutMs: number,
): CheckedHandler {
  return {
    metadata: { handlerProtocol: "http/1.1" },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    async handle(request) {
      const url = urlOf(request);
      const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
      const answer = await egress.fetch(
        {
          url: url.href,
          method: methodOf(request.method),
          headers: Object.entries(request.headers).filter(([name]) => !OWN_HEADERS.has(name.toLowerCase())),
          body: bodyOf(request.body),
          redirect: "error",
          timeoutMs,
        },
        {
          tenant,
          grants: { allow_hosts: [], allow: [{ host: url.hostname, ports: [port] }] },
          depth: 0,
          onBytes: () => {},
        },
      );
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(answer.headers)) {
        headers[name] = Array.isArray(value) ? value.join(", ") : value;
      }
      return { response: { statusCode: answer.status, headers, body: Readable.from([answer.body]) } };
    },
  };
}

function urlOf({ protocol, hostname, port, path, query }: WireRequest): URL {
  const at = port === undefined ? hostname : `${hostname}:${port}`;
  const url = new URL(`${protocol}//${at}${path}`);
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const each of Array.isArray(value) ? value : [value]) {
      pairs.push(each === null ? encode(name) : `${encode(name)}=${encode(each)}`);
    }
  }
  // As it was signed: an encoder that leaves `*` and the like alone would make another signature.
  if (pairs.length > 0) url.search = pairs.join("&");
  return url;
}

const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );

function methodOf(method: string): EgressRequest["method"] {
  if (METHODS.includes(method)) return method as EgressRequest["method"];
  throw new PlatformError("CS_INTERNAL", `a client of AWS sends ${method}, which nothing here expects`);
}

function bodyOf(body: unknown): Buffer | undefined {
  if (body === undefined || body === null || body === "") return undefined;
  if (typeof body === "string") return Buffer.from(body);
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  throw new PlatformError("CS_INTERNAL", "a client of AWS sends a stream, which nothing here expects");
}
