import type { IncomingMessage, ServerResponse } from "node:http";
import { errorEnvelope, PlatformError } from "@sous/contract";
import { type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { NOTHING_QUEUED } from "../activations/queued-activations.ts";
import { authorize, homeTenant } from "../auth/authorize.ts";
import { duplicateKey } from "../http/duplicate-key.ts";
import { errorHeaders, toPlatformError } from "../http/error-reply.ts";
import { NO_MEMBERS } from "../members/membership.ts";
import { requestIdOf } from "../http/request-id.ts";
import { API_SECURITY_HEADERS } from "../http/security-headers.ts";
import { registerActivationRoutes } from "./activation-routes.ts";
import { registerCadenceRoutes } from "./cadence-routes.ts";
import { registerAuditRoutes } from "./audit-routes.ts";
import { beginAudit, endAudit } from "./audit-trail.ts";
import { registerClusterRoutes } from "./cluster-routes.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext, ControlOptions } from "./control-context.ts";
import { registerDlqRoutes } from "./dlq-routes.ts";
import { registerEventSourceRoutes } from "./event-source-routes.ts";
import { registerFunctionRoutes } from "./function-routes.ts";
import { registerInvokeRoutes } from "./invoke-routes.ts";
import { registerOpenapi } from "./openapi.ts";
import { compileValidator } from "./schema-compiler.ts";
import { createMethodTable, routeLabel } from "./route-patterns.ts";
import { registerScheduleRoutes } from "./schedule-routes.ts";
import { registerSecretRoutes } from "./secret-routes.ts";
import { registerServiceRoutes } from "./service-routes.ts";
import { registerShortRoutes } from "./short-routes.ts";
import { registerTokenRoutes } from "./token-routes.ts";
import { registerUserRoutes } from "./user-routes.ts";
import { registerVersionRoutes } from "./version-routes.ts";

/** The control plane as one request handler. */
export interface Control extends AsyncDisposable {
  /** Answers a request; give it to the server as what handles everything no raw route takes. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Ends open event streams; the rest is the server's. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes the control plane: lifecycle of functions, reads, schedules, Cadence workers, event sources, secrets, users,
 * tokens, health, metrics and the API's description.
 * Every request passes the same way: id → sizes → token → action and tenant → schema → audit event → command → its end.
 */
export async function createControl(options: ControlOptions): Promise<Control> {
  const closing = new AbortController();
  const context: ControlContext = {
    metricsPublic: false,
    queued: NOTHING_QUEUED,
    membership: () => NO_MEMBERS,
    followIntervalMs: 500,
    runsElsewhere: false,
    durability: "relaxed",
    approve: "never",
    onScheduleChange: () => {},
    onCadenceChange: () => {},
    hasCadence: false,
    cadenceDomains: [],
    onEventSourceChange: () => {},
    eventSourceStatus: () => undefined,
    ...options,
    cancellations: options.cancellations,
    closing: closing.signal,
  };
  const app = createApp(context);
  registerOpenapi(app);
  registerFunctionRoutes(app, context);
  registerVersionRoutes(app, context);
  registerActivationRoutes(app, context);
  registerDlqRoutes(app, context);
  registerUserRoutes(app, context);
  registerTokenRoutes(app, context);
  registerAuditRoutes(app, context);
  registerSecretRoutes(app, context);
  registerScheduleRoutes(app, context);
  registerCadenceRoutes(app, context);
  registerEventSourceRoutes(app, context);
  registerShortRoutes(app, context);
  registerInvokeRoutes(app);
  registerClusterRoutes(app, context);
  registerServiceRoutes(app, context);
  await app.ready();
  return {
    handle: (request, response) => app.routing(request, response),
    async [Symbol.asyncDispose]() {
      closing.abort();
      await app.close();
    },
  };
}

function createApp(context: ControlContext): ControlApp {
  const { limits, logger, metrics, auth } = context;
  const answerError = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const refusal = toPlatformError(error);
    if (request.auditTrail !== undefined) request.auditTrail.code = refusal.code;
    if (refusal.status >= 500) {
      logger.error({ request_id: request.id, code: refusal.code, error }, "a request failed");
    }
    // A connection that closes on what is still being sent takes the answer with it; the rest is read and dropped.
    if (refusal.status === 413) reply.removeHeader("connection");
    void reply
      .code(refusal.status)
      .headers({ ...API_SECURITY_HEADERS, ...errorHeaders(refusal), "x-request-id": request.id })
      .type("application/json; charset=utf-8")
      .serializer(JSON.stringify)
      .send(errorEnvelope(refusal, request.id));
  };
  const app: ControlApp = fastify({
    logger: false,
    bodyLimit: limits.controlBodyBytesMax,
    genReqId: (request) => requestIdOf(request.headers["x-request-id"]),
    requestIdHeader: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 256, ignoreTrailingSlash: false },
    frameworkErrors: (error, request, reply) => answerError(error, request, reply as FastifyReply),
  });
  app.setValidatorCompiler(compileValidator);
  app.setSerializerCompiler(() => JSON.stringify);
  app.setErrorHandler(answerError);
  const methods = createMethodTable();
  app.addHook("onRoute", ({ method, url }) => methods.add(method, url));
  app.setNotFoundHandler((request, reply) => {
    const allowed = methods.allowed(request.url.split("?", 1)[0] ?? "");
    if (allowed.length === 0) {
      answerError(new PlatformError("CS_NOT_FOUND", "there is nothing here; see /docs"), request, reply);
      return;
    }
    const message = `this path takes ${allowed.join(", ")}; see /docs`;
    reply.header("allow", allowed.join(", "));
    answerError(new PlatformError("CS_METHOD_NOT_ALLOWED", message), request, reply);
  });
  parseJsonStrictly(app);
  app.decorateRequest("identity");
  app.decorateRequest("auditTrail");

  app.addHook("onRequest", async (request) => {
    checkSizes(request, limits);
    const { action } = request.routeOptions.config;
    if (action === undefined) return;
    const identity = await auth.authenticate(request.headers.authorization, { requestId: request.id });
    const { tenant } = request.params as { tenant?: string };
    authorize(identity, action, tenant ?? homeTenant(identity));
    request.identity = identity;
  });
  app.addHook("preHandler", (request) => beginAudit(context, request));
  app.addHook("onSend", async (request, reply) => {
    await endAudit(context, request, reply);
    reply.header("x-request-id", request.id);
    // The pages of /docs bring a policy of their own.
    if (reply.hasHeader("content-security-policy")) return;
    reply.headers(API_SECURITY_HEADERS);
  });
  app.addHook("onResponse", async (request, reply) => {
    const { url } = request.routeOptions;
    const route = url === undefined ? "unmatched" : routeLabel(url);
    metrics.request(route, request.method).done(reply.statusCode, reply.elapsedTime);
  });
  return app;
}

/** Bodies are JSON. An empty one counts as none, since clients send the content type of JSON without a body. */
function parseJsonStrictly(app: ControlApp): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") {
      done(null, undefined);
      return;
    }
    void parse(request, body as string, (error, value) => {
      const twice = error === null ? duplicateKey(body as string) : undefined;
      if (twice === undefined) done(error, value);
      else done(new PlatformError("CS_VALIDATION_FAILED", `the body names ${JSON.stringify(twice)} twice`));
    });
  });
}

function checkSizes(request: FastifyRequest, limits: ControlContext["limits"]): void {
  const { url = "", rawHeaders } = request.raw;
  const query = url.indexOf("?");
  if (query >= 0 && url.length - query - 1 > limits.queryBytesMax) {
    throw new PlatformError("CS_QUERY_TOO_LARGE", `a query holds at most ${limits.queryBytesMax} bytes`);
  }
  const headerBytes = rawHeaders.reduce((sum, part) => sum + part.length + 2, 0);
  if (headerBytes > limits.headersBytesMax) {
    throw new PlatformError("CS_HEADERS_TOO_LARGE", `headers hold at most ${limits.headersBytesMax} bytes`);
  }
}
