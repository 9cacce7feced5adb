import { DEFAULT_NAMESPACE, type Limits, PlatformError } from "@sous/contract";
import type { InvocationReply } from "../activations/invocation-reply.ts";
import { sendError, toPlatformError } from "../http/error-reply.ts";
import type { DirectRequest } from "../http/direct-request.ts";
import type { DirectResponse } from "../http/direct-response.ts";
import type { RawRoute } from "../http/front-server.ts";
import { requestIdOf } from "../http/request-id.ts";
import type { Admission, Admitted, Caller, Wanted } from "./admission.ts";
import type { Ingress, IngressRequest } from "./ingress.ts";
import { parseInvokeBody } from "./invoke-body.ts";
import { parseRoute, type Route } from "./parse-route.ts";
import { type BodyRoom, createBodyReader } from "../http/read-body.ts";
import { functionFailure, sendWebResult } from "./respond.ts";
import { NO_REQUEST_HEADERS, requestHeaders, type RequestHeaders } from "./request-headers.ts";
import { sendInvokeReply, sendQueued, sendShortReply } from "./api-answers.ts";
import { webEvent } from "./web-event.ts";

export interface GatewayOptions {
  admission: Admission;
  ingress: Ingress;
  limits: Limits;
  bodies: BodyRoom;
  /** How many functions may call one another in a chain. */
  depthMax: number;
  /** Functions answer on the console's port: their pages are kept in a sandbox of the browser. */
  sandboxPages: boolean;
  onFault: (error: unknown, requestId: string) => void;
  /** Counts an answered request. */
  onAnswer: (route: Route["kind"], method: string, status: number, startedAt: number) => void;
}

type Known = Exclude<Route, { kind: "bad" }>;

/** One request on its way through the gateway. */
interface Exchange extends Caller {
  response: DirectResponse;
  requestId: string;
  headers: RequestHeaders;
  kind: Route["kind"];
  startedAt: number;
}

/**
 * The gateway: turns web calls, `:invoke` and `:enqueue` into invocations, and results back into HTTP.
 * @returns a raw route that takes the gateway's paths and leaves all others
 */
export function createGateway(options: GatewayOptions): RawRoute {
  const { admission, ingress, limits, bodies } = options;
  const readBody = createBodyReader({ bytesMax: limits.requestBodyBytesMax, room: bodies });

  function fail(exchange: Exchange, error: unknown): void {
    const known = toPlatformError(error);
    if (known.code === "CS_INTERNAL") options.onFault(error, exchange.requestId);
    const reason = known.details?.["reason"];
    const headers =
      known.code === "CS_QUEUE_FULL"
        ? { "x-queue-reject-reason": typeof reason === "string" ? reason : "depth" }
        : {};
    sendError(exchange.response, known, exchange.requestId, headers);
    answered(exchange);
  }

  function answered({ kind, request, response, startedAt }: Exchange): void {
    options.onAnswer(kind, request.method, response.statusCode, startedAt);
  }

  function begin(exchange: Exchange, route: Known): void {
    if (route.kind === "invoke") {
      beginInvoke(exchange, route);
      return;
    }
    const web = route.kind === "web";
    const wanted: Wanted = {
      tenant: web ? route.tenant : undefined,
      namespace: web ? route.namespace : DEFAULT_NAMESPACE,
      name: route.name,
      refText: route.ref,
      target: route.target,
      action: web ? "cs:function:invoke:http" : "cs:function:invoke:api",
      trigger: web ? "http" : "api",
    };
    settle(
      exchange,
      () => admission.admit(exchange, wanted),
      (admitted) => receive(exchange, (body) => dispatch(exchange, route, wanted, admitted, body)),
    );
  }

  /** The full form names its reference in the body; who asks is checked before that is read. */
  function beginInvoke(exchange: Exchange, route: Extract<Known, { kind: "invoke" }>): void {
    const { request, response, requestId } = exchange;
    const { tenant, namespace, name } = route;
    const action = "cs:function:invoke:api";
    const withBody = (body: Buffer): void => {
      const { mode, delayMs, target, refText, eventJson } = parseInvokeBody(body);
      const wanted: Wanted = { tenant, namespace, name, refText, target, action, trigger: "api" };
      settle(
        exchange,
        () => admission.admitIdentified(exchange, wanted),
        (admitted) => {
          const submitted = ingressRequest(exchange, wanted, admitted, eventJson, { path: request.url });
          if (delayMs !== undefined) submitted.delayMs = delayMs;
          if (mode === "async") enqueue(exchange, submitted);
          else run(exchange, submitted, (reply) => sendInvokeReply(response, reply, requestId));
        },
      );
    };
    settle(
      exchange,
      () => admission.identify(exchange, { action, tenant }),
      () => receive(exchange, withBody),
    );
  }

  function dispatch(
    exchange: Exchange,
    route: Exclude<Known, { kind: "invoke" }>,
    wanted: Wanted,
    admitted: Admitted,
    body: Buffer,
  ): void {
    const { request, response, requestId, headers } = exchange;
    if (route.kind === "web") {
      const { rawPath, query } = route;
      const event = webEvent({ request, rawPath, query, body, passAuthorization: admitted.isPublic });
      const submitted = ingressRequest(exchange, wanted, admitted, event, { path: rawPath });
      // Proxies and clients change headers between two tries of the same request.
      if (headers.idempotencyKey !== undefined) {
        const type = request.header("content-type") ?? "";
        submitted.sameness = JSON.stringify([request.method, rawPath, query, type, body.toString("base64")]);
      }
      if (headers.respondAsync) enqueue(exchange, submitted);
      else run(exchange, submitted, (reply) => sendWeb(exchange, reply));
      return;
    }
    const event = jsonText(body);
    const submitted = ingressRequest(exchange, wanted, admitted, event, route.source);
    if (route.verb === "enqueue") enqueue(exchange, submitted, "executionId");
    else run(exchange, submitted, (reply) => sendShortReply(response, reply, requestId, headers.traceId));
  }

  /** Goes on with what a check says, at once where it says it at once; whatever is thrown is the answer. */
  function settle<T>(exchange: Exchange, check: () => T | Promise<T>, next: (value: T) => void): void {
    const refuse = (error: unknown): void => {
      // What is left of the body is read and dropped, so that the connection can go on.
      exchange.request.resume();
      fail(exchange, error);
    };
    const go = (value: T): void => {
      try {
        next(value);
      } catch (error) {
        refuse(error);
      }
    };
    try {
      const value = check();
      if (value instanceof Promise) value.then(go, refuse);
      else go(value);
    } catch (error) {
      refuse(error);
    }
  }

  function receive(exchange: Exchange, next: (body: Buffer) => void): void {
    const refuse = (error: unknown): void => fail(exchange, error);
    readBody(
      exchange.request,
      (body) => {
        try {
          next(body);
        } catch (error) {
          refuse(error);
        }
      },
      refuse,
    );
  }

  function ingressRequest(
    exchange: Exchange,
    wanted: Wanted,
    admitted: Admitted,
    eventJson: string,
    source: Record<string, unknown>,
  ): IngressRequest {
    const { headers } = exchange;
    const timeoutMs = Math.min(
      admitted.version.config.timeout_ms,
      limits.webTimeoutMaxMs,
      headers.timeoutMs ?? Infinity,
    );
    return {
      requestId: exchange.requestId,
      tenant: admitted.tenant,
      namespace: wanted.namespace,
      name: wanted.name,
      refText: wanted.refText,
      target: wanted.target,
      version: admitted.version,
      principal: admitted.principal,
      trigger: { type: wanted.trigger, source },
      eventJson,
      timeoutMs,
      idempotencyKey: headers.idempotencyKey,
      delayMs: headers.delayMs,
      traceparent: headers.traceparent,
      depth: headers.depth,
    };
  }

  function run(exchange: Exchange, request: IngressRequest, answer: (reply: InvocationReply) => void): void {
    if (request.delayMs !== undefined) throw notDelayed();
    ingress.sync(request, (reply) => {
      try {
        if (reply instanceof PlatformError) fail(exchange, reply);
        else {
          answer(reply);
          answered(exchange);
        }
      } catch (error) {
        fail(exchange, error);
      }
    });
  }

  function sendWeb(exchange: Exchange, reply: InvocationReply): void {
    if (reply.result === undefined) throw functionFailure(reply);
    const { requestId } = exchange;
    sendWebResult(exchange.response, reply, reply.result, { requestId, sandboxPages: options.sandboxPages });
  }

  function enqueue(
    exchange: Exchange,
    request: IngressRequest,
    field: "activation_id" | "executionId" = "activation_id",
  ): void {
    ingress
      .enqueue(request)
      .then(({ activationId, replayed }) => {
        sendQueued(exchange.response, { [field]: activationId, status: "queued" }, activationId, {
          requestId: exchange.requestId,
          replayed,
        });
        answered(exchange);
      })
      .catch((error: unknown) => fail(exchange, error));
  }

  return function gateway(request, response) {
    const route = parseRoute(request.url);
    if (route === undefined) return false;
    const startedAt = performance.now();
    const requestId = requestIdOf(request.header("x-request-id"));
    const exchange: Exchange = {
      request,
      authorization: undefined,
      response,
      requestId,
      headers: NO_REQUEST_HEADERS,
      kind: route.kind,
      startedAt,
    };
    try {
      if (route.kind === "bad") throw route.error;
      if (route.kind !== "web" && request.method !== "POST") {
        throw new PlatformError("CS_METHOD_NOT_ALLOWED", "functions are invoked with POST");
      }
      checkSizes(request, limits);
      exchange.headers = requestHeaders(request.rawHeaders);
      exchange.authorization = exchange.headers.authorization;
      if (exchange.headers.depth >= options.depthMax) throw tooDeep(options.depthMax);
      begin(exchange, route);
    } catch (error) {
      request.resume();
      fail(exchange, error);
    }
    return true;
  };
}

const tooDeep = (most: number): PlatformError =>
  new PlatformError(
    "CS_CALL_DEPTH_EXCEEDED",
    `more than ${most} functions called one another up to here: end the circle, or raise budgets.depth_max`,
    { details: { depth_max: most } },
  );

const notDelayed = (): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", "X-Delay-Ms is for queued work: use :enqueue or mode async");

/** @throws CS_QUERY_TOO_LARGE, CS_HEADERS_TOO_LARGE */
function checkSizes({ url, rawHeaders }: DirectRequest, limits: Limits): void {
  if (url.length > limits.queryBytesMax) {
    const query = url.indexOf("?");
    if (query >= 0 && url.length - query - 1 > limits.queryBytesMax) {
      throw new PlatformError("CS_QUERY_TOO_LARGE", `a query holds at most ${limits.queryBytesMax} bytes`);
    }
  }
  let bytes = 0;
  for (const part of rawHeaders) bytes += part.length + 2;
  if (bytes > limits.headersBytesMax) {
    throw new PlatformError("CS_HEADERS_TOO_LARGE", `headers hold at most ${limits.headersBytesMax} bytes`);
  }
}

/** @returns the body as JSON text. @throws CS_VALIDATION_FAILED when it is not JSON; an empty body is null */
function jsonText(body: Buffer): string {
  if (body.length === 0) return "null";
  const text = body.toString("utf8");
  try {
    JSON.parse(text);
  } catch (error) {
    throw new PlatformError("CS_VALIDATION_FAILED", "the body is the event and must be JSON", {
      cause: error,
    });
  }
  return text;
}
