import type { IncomingMessage } from "node:http";
import { PlatformError } from "@sous/contract";
import type { Metrics } from "../telemetry/metrics.ts";
import type { DirectRequest } from "./direct-request.ts";
import type { DirectResponse } from "./direct-response.ts";
import { type Answerable, sendError, toPlatformError } from "./error-reply.ts";
import type { RawRoute } from "./front-server.ts";
import { metricsRefusal } from "./metrics-access.ts";
import type { Readiness } from "./readiness.ts";
import { requestIdOf } from "./request-id.ts";
import { API_SECURITY_HEADERS } from "./security-headers.ts";

export interface ServiceEndpointsOptions {
  readiness: Readiness;
  metrics: Pick<Metrics, "text" | "contentType">;
  /** Whether `/metrics` answers everybody, not only this machine. */
  metricsPublic: boolean;
}

/** `/healthz`, `/readyz` and `/metrics` of a process without a control plane, which has them in its API. */
export function createServiceEndpoints(options: ServiceEndpointsOptions): RawRoute {
  const { readiness, metrics, metricsPublic } = options;

  async function answer(path: string, request: DirectRequest, response: DirectResponse): Promise<void> {
    if (path === "/healthz") {
      sendJson(request, response, 200, { status: "ok" });
      return;
    }
    if (path === "/readyz") {
      const ready = await readiness();
      sendJson(request, response, ready.status === "ready" ? 200 : 503, ready);
      return;
    }
    const refusal = metricsRefusal(request, metricsPublic);
    if (refusal !== undefined) throw refusal;
    send(request, response, 200, await metrics.text(), metrics.contentType);
  }

  return (request, response) => {
    const path = request.url.split("?", 1)[0] ?? "";
    if (path !== "/healthz" && path !== "/readyz" && path !== "/metrics") return false;
    request.resume();
    const refuse = (error: unknown): void =>
      sendError(response, toPlatformError(error), requestIdOf(request.header("x-request-id")));
    if (request.method === "GET") answer(path, request, response).catch(refuse);
    else refuse(new PlatformError("CS_METHOD_NOT_ALLOWED", "this path takes GET"));
    return true;
  };
}

/**
 * @param served what this process is, for whoever asked the wrong one
 * @returns the answer to every path that this process does not serve
 */
export const answerNotServed =
  (served: string) =>
  (request: IncomingMessage, response: Answerable): void => {
    request.resume();
    const message = `this process is ${served}; ask the control plane for the API, a gateway to run functions`;
    sendError(
      response,
      new PlatformError("CS_NOT_FOUND", message),
      requestIdOf(request.headers["x-request-id"]),
    );
  };

function sendJson(request: DirectRequest, response: DirectResponse, status: number, body: object): void {
  send(request, response, status, JSON.stringify(body), "application/json; charset=utf-8");
}

function send(
  request: DirectRequest,
  response: DirectResponse,
  status: number,
  text: string,
  type: string,
): void {
  response.writeHead(status, {
    ...API_SECURITY_HEADERS,
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "x-request-id": requestIdOf(request.header("x-request-id")),
  });
  response.end(text);
}
