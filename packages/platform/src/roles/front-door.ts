import type { IncomingMessage } from "node:http";
import { type Limits, PlatformError } from "@sous/contract";
import type { Authenticator } from "../auth/authenticator.ts";
import { isLocalRequest } from "../auth/local-request.ts";
import type { Config } from "../config/config-schema.ts";
import { createAdmission } from "../gateway/admission.ts";
import { createGateway } from "../gateway/create-gateway.ts";
import { createIngress } from "../gateway/ingress.ts";
import { createClientIpReader } from "../http/client-ip.ts";
import type { RawRoute } from "../http/front-server.ts";
import type { BodyRoom } from "../http/read-body.ts";
import { createRateLimiter } from "../http/rate-limiter.ts";
import type { Placement } from "../members/create-placement.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Core } from "./open-core.ts";

const ROUTE_PATTERNS = {
  web: "/v1/web/{tenant}/{namespace}/{function}/{ref}/{path}",
  invoke: "/v1/tenants/{tenant}/namespaces/{namespace}/functions/{name}:invoke",
  short: "/v1/functions/{name}:invoke",
  bad: "bad",
} as const;

export interface FrontDoorOptions {
  config: Config;
  limits: Limits;
  core: Core;
  auth: Authenticator;
  /** Chooses who runs a synchronous call; absent: whoever has room. */
  placement: Placement | undefined;
  /** Whether this process runs its calls itself, and begins no more. */
  isEnding: () => boolean;
  /** @returns among how many gateways the rate limits are shared out */
  sharers: () => number;
  /** Room for bodies of requests, shared with others that read such. */
  bodies: BodyRoom;
  metrics: Metrics;
  now: () => number;
  onFault: (error: unknown, requestId: string) => void;
}

/**
 * Puts the gateway together: who may come in, how a call becomes work, how results go out.
 * @throws CS_CODEQ_PUBLISH_FAILED when the queue's server cannot be reached
 */
export async function openFrontDoor(options: FrontDoorOptions): Promise<RawRoute> {
  const { config, limits, core, auth, placement, isEnding, sharers, bodies, metrics, now, onFault } = options;
  const { store, codeq, live, catalog, tier, spending } = core;
  const { enabled, tenant_rps, function_rps, client_rps } = config.rate_limits;
  const limiter = (ratePerSecond: number) =>
    enabled ? createRateLimiter({ ratePerSecond, clock: now, sharers }) : undefined;
  metrics.gauge(
    "cs_rate_limit_sharers",
    "Gateways among which this one believes the rate limits shared out",
    [],
    () => [{ labels: {}, value: sharers() }],
  );
  const admission = createAdmission({
    auth,
    catalog,
    limits: { client: limiter(client_rps), tenant: limiter(tenant_rps), function: limiter(function_rps) },
    clientIp: createClientIpReader(config.trusted_proxies),
    spending,
  });
  const ingress = createIngress({
    codeq,
    store,
    live,
    replies: await codeq.openReplies(),
    limits,
    tier,
    now,
    placement,
    isEnding,
  });
  return createGateway({
    admission,
    ingress,
    limits,
    bodies,
    depthMax: config.budgets.depth_max,
    sandboxPages: true,
    onFault,
    onAnswer: (route, method, status, startedAt) =>
      metrics.request(ROUTE_PATTERNS[route], method).done(status, performance.now() - startedAt),
  });
}

/** @returns the check that keeps strangers out where there are no tokens; see SPEC 15, local safety */
export function localGuard(
  auth: string,
): ((request: Pick<IncomingMessage, "headers">) => PlatformError | undefined) | undefined {
  if (auth !== "none") return undefined;
  return ({ headers }) => {
    const fetchSite = headers["sec-fetch-site"];
    const origin = {
      host: headers.host,
      origin: headers.origin,
      fetchSite: typeof fetchSite === "string" ? fetchSite : undefined,
    };
    if (isLocalRequest(origin)) return undefined;
    return new PlatformError(
      "CS_AUTHZ_DENIED",
      "without tokens this server answers only requests of this machine to localhost",
    );
  };
}
