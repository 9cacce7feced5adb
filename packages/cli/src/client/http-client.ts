import type { IncomingHttpHeaders, IncomingMessage, RequestOptions } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { CliError, EXIT } from "./cli-error.ts";
import { errorOfAnswer, isAbort, systemCodeOf, unreachable } from "./http-errors.ts";

export interface HttpClientOptions {
  /** Where the control API is: `http://localhost:8080`. */
  apiUrl: string;
  /** Sent as a bearer token when there is one. */
  token?: string | undefined;
  /** How long a request may stay without an answer, in milliseconds (30000). */
  timeoutMs?: number;
}

export interface HttpRequest {
  method: string;
  /** Below the API's address, already encoded: `/v1/tenants/t_default/activations`. */
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  body?: Uint8Array | string;
  headers?: Record<string, string>;
  /** Instead of the client's; 0 waits for ever. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/**
 * Speaks HTTP with one server. `node:http` rather than `fetch`: fetch gives up on an answer after 300 s,
 * and a function may run for 900.
 */
export interface HttpClient {
  readonly apiUrl: string;
  /** @returns whatever the server answered, errors too */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /**
   * @returns the parsed JSON of an answer below 400
   * @throws CliError with the server's code, message and request id
   */
  sendJson<T>(request: HttpRequest): Promise<T>;
  /** @returns the open answer, to be read while it comes; @throws CliError as `sendJson` */
  open(request: HttpRequest): Promise<IncomingMessage>;
}

const CONNECT_RETRY_DELAYS_MS = [50, 150];
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { apiUrl } = options;

  /** Connects again where nobody listens yet and the request changes nothing: a server that is just starting. */
  async function open(request: HttpRequest): Promise<IncomingMessage> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await connect(options, request);
      } catch (error) {
        if (error instanceof CliError || isAbort(error)) throw error;
        const delayMs = CONNECT_RETRY_DELAYS_MS[attempt];
        if (request.method !== "GET" || delayMs === undefined || systemCodeOf(error) !== "ECONNREFUSED") {
          throw unreachable(apiUrl, error);
        }
        await sleep(delayMs);
      }
    }
  }

  async function send(request: HttpRequest): Promise<HttpAnswer> {
    const incoming = await open(request);
    const body = await readBody(incoming, apiUrl);
    return { status: incoming.statusCode ?? 0, headers: incoming.headers, body };
  }

  return {
    apiUrl,
    send,
    async sendJson<T>(request: HttpRequest): Promise<T> {
      const answer = await send(request);
      if (answer.status >= 400) throw errorOfAnswer(answer, request);
      // The contract says what comes back; checking it again would cost every command the schemas.
      return parseJson(answer, apiUrl) as T;
    },
    async open(request) {
      const incoming = await open(request);
      const status = incoming.statusCode ?? 0;
      if (status < 400) return incoming;
      const body = await readBody(incoming, apiUrl);
      throw errorOfAnswer({ status, headers: incoming.headers, body }, request);
    },
  };
}

function urlOf(apiUrl: string, request: HttpRequest): URL {
  const url = parseApiUrl(apiUrl);
  const mark = request.path.indexOf("?");
  url.pathname = url.pathname.replace(/\/$/, "") + (mark < 0 ? request.path : request.path.slice(0, mark));
  if (mark >= 0) url.search = request.path.slice(mark);
  for (const [name, value] of Object.entries(request.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

/** Sends one request. @returns the answer once its head is there */
async function connect(options: HttpClientOptions, request: HttpRequest): Promise<IncomingMessage> {
  const { apiUrl, token, timeoutMs = 30_000 } = options;
  const url = urlOf(apiUrl, request);
  const { request: start } =
    url.protocol === "https:" ? await import("node:https") : await import("node:http");
  const body = request.json === undefined ? request.body : JSON.stringify(request.json);
  const headers: Record<string, string | number> = { accept: "application/json", ...request.headers };
  if (request.json !== undefined) headers["content-type"] = "application/json";
  if (body !== undefined) headers["content-length"] = Buffer.byteLength(body);
  if (token !== undefined) headers["authorization"] ??= `Bearer ${token}`;
  const limitMs = request.timeoutMs ?? timeoutMs;
  const settings: RequestOptions = { method: request.method, headers };
  if (request.signal !== undefined) settings.signal = request.signal;
  return new Promise((resolve, reject) => {
    const outgoing = start(url, settings, (incoming) => {
      clearTimeout(timer);
      resolve(incoming);
    });
    const timer =
      limitMs === 0
        ? undefined
        : setTimeout(
            () =>
              outgoing.destroy(
                new CliError(`${url.origin} did not answer within ${limitMs} ms`, {
                  exitCode: EXIT.server,
                }),
              ),
            limitMs,
          );
    outgoing.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    outgoing.end(body);
  });
}

function parseApiUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw new CliError(`--api-url ${text} is not an http or https address`, {
    hint: "It looks like http://localhost:8080.",
  });
}

async function readBody(incoming: IncomingMessage, apiUrl: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of incoming) {
      if (!Buffer.isBuffer(part)) continue;
      bytes += part.length;
      if (bytes > ANSWER_BYTES_MAX) throw new CliError(`the answer is over ${ANSWER_BYTES_MAX} bytes`);
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof CliError || isAbort(error)) throw error;
    throw unreachable(apiUrl, error);
  }
  return Buffer.concat(parts);
}

function parseJson(answer: HttpAnswer, apiUrl: string): unknown {
  try {
    return JSON.parse(answer.body.toString("utf8"));
  } catch (error) {
    throw new CliError(`${apiUrl} answered ${answer.status} without JSON`, {
      exitCode: EXIT.server,
      hint: "Is --api-url the address of a SOUS control API?",
      cause: error,
    });
  }
}
