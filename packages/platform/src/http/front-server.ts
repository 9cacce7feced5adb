import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { errorEnvelope, LIMITS, newRequestId, PlatformError } from "@sous/contract";
import { DirectConnection } from "./direct-connection.ts";
import { DirectRequest } from "./direct-request.ts";
import type { DirectResponse } from "./direct-response.ts";
import { sendError, toPlatformError } from "./error-reply.ts";
import { requestIdOf } from "./request-id.ts";
import { API_SECURITY_HEADERS } from "./security-headers.ts";

/** A route beside the framework, for the hot path. @returns `true` when it has taken the request */
export type RawRoute = (request: DirectRequest, response: DirectResponse) => boolean;

export interface FrontServerOptions {
  /** Asked in this order; the first that takes a request has it. */
  routes: readonly RawRoute[];
  /** Gets every request that no route takes, as Node's own. */
  fallback: (request: IncomingMessage, response: ServerResponse) => void;
  /** Looks at each request first; what it returns is the answer. */
  guard?: (request: Pick<IncomingMessage, "headers">) => PlatformError | undefined;
  /** Hears of faults of our own. */
  onFault?: (error: unknown, requestId: string) => void;
  /** How long the headers of a request may take (10,000). */
  headersTimeoutMs?: number;
  /** How long a whole request may take to arrive (60,000). */
  requestTimeoutMs?: number;
  /** How long an idle connection is kept (65,000, longer than load balancers keep theirs). */
  keepAliveTimeoutMs?: number;
}

/** The one HTTP server of a process. */
export interface FrontServer {
  readonly server: Server;
  /** @returns the address it listens on; port 0 picks a free one. @throws when the port is taken */
  listen(address: { host: string; port: number }): Promise<{ host: string; port: number; url: string }>;
  /**
   * Answers go on, and close their connections from now on: whoever sends the next request makes a new one, and finds
   * out in time that there is no server here any more.
   */
  announceClose(): void;
  /** Takes no new connections, lets running requests end, cuts what is left after the grace. */
  close(graceMs: number): Promise<void>;
}

/** Node counts the request line in; a query of the full size must still reach its own check, which answers 414. */
const HEADER_MARGIN_BYTES = 16 * 1024;

const REAP_INTERVAL_MS = 20;
/** How long a client has to read why its connection ends. */
const LINGER_MS = 1000;

/**
 * Makes the HTTP server of a process: raw routes first, the framework for the rest. Requests that are cut off,
 * malformed, too slow or too large get an error envelope too.
 */
export function createFrontServer(options: FrontServerOptions): FrontServer {
  const { routes, fallback, guard, onFault } = options;
  let closing = false;

  function refuse(response: DirectResponse | ServerResponse, error: unknown, requestId: string): void {
    if (!(error instanceof PlatformError)) onFault?.(error, requestId);
    sendError(response, toPlatformError(error), requestId);
  }

  function take(request: DirectRequest, response: DirectResponse): boolean {
    try {
      const refusal = faultOf(request) ?? guard?.(request);
      if (refusal !== undefined) throw refusal;
      for (const route of routes) if (route(request, response)) return true;
      return false;
    } catch (error) {
      refuse(response, error, requestIdOf(request.header("x-request-id")));
      return true;
    }
  }

  const keepAliveTimeout = options.keepAliveTimeoutMs ?? 65_000;
  const server = createServer(
    {
      maxHeaderSize: LIMITS.headersBytesMax + LIMITS.queryBytesMax + HEADER_MARGIN_BYTES,
      headersTimeout: options.headersTimeoutMs ?? 10_000,
      requestTimeout: options.requestTimeoutMs ?? 60_000,
      keepAliveTimeout,
      connectionsCheckingInterval: 1000,
      noDelay: true,
      // What nobody takes directly becomes a message of Node's own.
      IncomingMessage: DirectRequest as unknown as typeof IncomingMessage,
      // Ours to refuse, in an envelope.
      requireHostHeader: false,
    },
    (request, response) => {
      if (closing) response.shouldKeepAlive = false;
      try {
        fallback(request, response);
      } catch (error) {
        refuse(response, error, requestIdOf(request.headers["x-request-id"]));
      }
    },
  );
  // Past a count Node drops headers silently; ours are bounded by bytes.
  server.maxHeadersCount = 0;
  const connections = new WeakMap<Socket, DirectConnection>();
  /** Those that were told what is wrong with them. */
  const lingering = new WeakSet<Socket>();
  server.on("connection", (socket) => {
    const isClosing = (): boolean => closing;
    connections.set(socket, new DirectConnection(socket, { take, isClosing, idleMs: keepAliveTimeout }));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const connection = connections.get(socket);
    const isOfBytes = error.code === "ERR_HTTP_REQUEST_TIMEOUT" || error.code?.startsWith("HPE_") === true;
    if (isOfBytes && (connection?.hasLast === true || lingering.has(socket))) return;
    lingering.add(socket);
    answerClientError(error, socket);
    // After the answer: whoever waits for a body has nothing to add.
    connection?.cut(error);
  });

  return {
    server,
    async listen({ host, port }) {
      server.listen(port, host);
      await once(server, "listening");
      const bound = server.address() as AddressInfo;
      const shown = bound.family === "IPv6" ? `[${bound.address}]` : bound.address;
      return { host: bound.address, port: bound.port, url: `http://${shown}:${bound.port}` };
    },
    announceClose() {
      closing = true;
    },
    async close(graceMs) {
      closing = true;
      // Connections not accepted yet are reset with the socket they wait at: right after a look at it fewer wait.
      await setImmediate();
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      // A connection that is busy now falls idle later; told only then, it costs the requests nothing.
      const reaper = setInterval(() => server.closeIdleConnections(), REAP_INTERVAL_MS);
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearInterval(reaper);
      clearTimeout(timer);
    },
  };
}

/** @returns why a request cannot be served, whatever it asks for. Its target is of the usual form afterwards */
function faultOf(request: DirectRequest): PlatformError | undefined {
  const hosts = countHosts(request.rawHeaders);
  if (hosts > 1 || (hosts === 0 && request.httpVersionMinor > 0)) return wrongHosts(hosts);
  const expected = request.header("expect");
  if (expected !== undefined && request.httpVersionMinor > 0 && !/\b100-continue\b/i.test(expected))
    return new PlatformError("CS_VALIDATION_FAILED", "the only Expect that is met is 100-continue");
  return toOriginForm(request);
}

/** @returns 0, 1, or 2 for more than one */
function countHosts(rawHeaders: readonly string[]): number {
  let seen = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (name.length !== 4) continue;
    if (name === "Host" || name === "host" || name.toLowerCase() === "host") {
      if (++seen > 1) return seen;
    }
  }
  return seen;
}

/**
 * Brings a target of the absolute form (`GET http://host/path`), which every server must take, into the usual one.
 * @returns why not, when it names another host than `Host` does
 */
function toOriginForm(request: DirectRequest): PlatformError | undefined {
  const target = request.url;
  if (target.startsWith("/") || target === "*") return undefined;
  const [, authority = "", path = ""] = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(target) ?? [];
  if (authority === "" || authority.toLowerCase() !== request.header("host")?.toLowerCase()) {
    return new PlatformError(
      "CS_VALIDATION_FAILED",
      "the request's target and its Host header name different hosts",
    );
  }
  request.url = path.startsWith("/") ? path : `/${path}`;
  return undefined;
}

const wrongHosts = (count: number): PlatformError =>
  new PlatformError(
    "CS_VALIDATION_FAILED",
    count === 0 ? "the request has no Host header" : "the request has more than one Host header",
  );

/** HTTP errors below the request: the parser's, the timeouts'. The connection is not usable any more. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  const begun = (socket as Socket & { _httpMessage?: ServerResponse })._httpMessage?.headersSent === true;
  if (!socket.writable || begun || error.code === "ECONNRESET" || error.code === "EPIPE") {
    socket.destroy();
    return;
  }
  const { status, refusal } = clientFault(error.code);
  const requestId = newRequestId();
  const body = JSON.stringify(errorEnvelope(refusal, requestId));
  const headers = {
    ...API_SECURITY_HEADERS,
    "content-type": "application/json; charset=utf-8",
    "content-length": String(Buffer.byteLength(body)),
    "x-request-id": requestId,
    connection: "close",
  };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${head.join("")}\r\n${body}`);
  // Ended at once it could lose the answer to what the client still sends; left alone it could stay for ever.
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
}

function clientFault(code: string | undefined): { status: number; refusal: PlatformError } {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return fault(new PlatformError("CS_HEADERS_TOO_LARGE", "the headers are too large"));
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return fault(new PlatformError("CS_PAYLOAD_TOO_LARGE", "the chunk extensions are too large"));
    case "ERR_HTTP_REQUEST_TIMEOUT":
      // 408 has no code of its own in the catalogue: the request as it came is what is wrong.
      return {
        ...fault(new PlatformError("CS_VALIDATION_FAILED", "the request took too long to arrive")),
        status: 408,
      };
    default:
      return fault(new PlatformError("CS_VALIDATION_FAILED", "the request is not HTTP/1.1"));
  }
}

const fault = (refusal: PlatformError) => ({ status: refusal.status, refusal });
