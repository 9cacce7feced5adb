import {
  DEPTH_HEADER,
  type EventSourceRecord,
  isResourceName,
  isTenantId,
  LIMITS,
  newMessageId,
  PlatformError,
} from "@sous/contract";
import type { ResourceStore } from "@sous/store";
import type { Authenticator } from "../../auth/authenticator.ts";
import { authorize } from "../../auth/authorize.ts";
import { EVENT_SOURCE_KIND, readEventSource } from "../../events/event-resources.ts";
import { type InboxBody, type InboxQueue, putIntoInbox } from "../../events/inbox.ts";
import { type BodyRoom, createBodyReader, type ReadBody } from "../../http/read-body.ts";
import { rateLimitKey } from "../../http/client-ip.ts";
import type { DirectRequest } from "../../http/direct-request.ts";
import type { DirectResponse } from "../../http/direct-response.ts";
import { sendError, toPlatformError } from "../../http/error-reply.ts";
import type { RawRoute } from "../../http/front-server.ts";
import type { RateLimiter } from "../../http/rate-limiter.ts";
import { requestIdOf } from "../../http/request-id.ts";
import { API_SECURITY_HEADERS } from "../../http/security-headers.ts";
import { formatTraceparent, parseTraceparent } from "../../telemetry/traceparent.ts";
import type { SecretReader } from "../../secrets/secret-vault.ts";
import { webhookMessages } from "./webhook-messages.ts";
import { checkSignatureHeaders, verifySignature } from "./verify-signature.ts";

export const EVENTS_PATH = "/v1/events/";
const PATH = /^\/v1\/events\/([^/?]+)\/([^/?]+)\/([^/?]+)(?:\?.*)?$/;

export interface WebhookDoorOptions {
  resources: ResourceStore;
  inboxes: Pick<InboxQueue, "publish">;
  secrets: SecretReader;
  auth: Authenticator;
  /** Requests a second of a client (no bound). */
  clients: RateLimiter | undefined;
  clientIp: (request: DirectRequest) => string;
  bodies: BodyRoom;
  clock: () => number;
  onFault: (error: unknown, requestId: string) => void;
}

/**
 * Makes the way in for webhooks and CloudEvents: `POST /v1/events/{tenant}/{namespace}/{source}`. The sender proves
 * itself by signature or token, its messages are queued durably, and it hears 202; they run like every other source's.
 */
export function createWebhookDoor(options: WebhookDoorOptions): RawRoute {
  const { clients, clientIp, bodies, onFault } = options;
  const readBody = createBodyReader({ bytesMax: LIMITS.eventBodyBytesMax, room: bodies });
  return (request, response) => {
    if (!request.url.startsWith(EVENTS_PATH)) return false;
    const requestId = requestIdOf(request.header("x-request-id"));
    const refuse = (error: unknown): void => {
      const refusal = toPlatformError(error);
      if (refusal.status >= 500) onFault(error, requestId);
      sendError(response, refusal, requestId);
    };
    const allowed = clients?.take(rateLimitKey(clientIp(request))) ?? true;
    if (allowed !== true) {
      request.resume();
      refuse(
        new PlatformError("CS_RATE_LIMITED", "too many requests of this client", {
          retryAfterSeconds: allowed,
        }),
      );
      return true;
    }
    take(options, readBody, request).then((accepted) => answer(response, requestId, accepted), refuse);
    return true;
  };
}

async function take(
  options: WebhookDoorOptions,
  readBody: ReadBody,
  request: DirectRequest,
): Promise<string[]> {
  const { inboxes, clock } = options;
  const headers = plainHeaders(request);
  let source: EventSourceRecord;
  try {
    source = await admit(options, request, headers);
  } catch (error) {
    // What nobody asked for is dropped as it comes, so that the refusal arrives.
    request.resume();
    throw error;
  }
  const { signature } = source.webhook ?? {};
  const body = await new Promise<Buffer>((resolve, reject) => readBody(request, resolve, reject));
  if (signature !== undefined) {
    const { tenant, namespace } = source;
    const secret = await options.secrets.read({ tenant, namespace, name: signature.secret });
    verifySignature(signature, secret.trim(), { headers, body }, clock());
  }
  const messages = webhookMessages(source, { headers, body }, newMessageId);
  const depth = depthOf(headers[DEPTH_HEADER]);
  const trace = parseTraceparent(headers["traceparent"]);
  for (const message of messages) {
    const inboxBody: InboxBody = {
      ...message,
      depth,
      ...(trace === undefined ? {} : { traceparent: formatTraceparent(trace) }),
    };
    await putIntoInbox(inboxes, source, inboxBody, clock());
  }
  return messages.map(({ id }) => id);
}

/** Looks at all that can be judged without a body: nothing of one is kept before. @returns the source */
async function admit(
  options: WebhookDoorOptions,
  request: DirectRequest,
  headers: Record<string, string>,
): Promise<EventSourceRecord> {
  const source = await sourceOf(options, request);
  const { signature } = source.webhook ?? {};
  if (signature === undefined) {
    const identity = await options.auth.authenticate(headers["authorization"]);
    authorize(identity, "cs:eventsource:send", source.tenant);
  } else checkSignatureHeaders(signature, headers, options.clock());
  if (request.destroyed) throw new PlatformError("CS_VALIDATION_FAILED", "the request ended before its body");
  return source;
}

async function sourceOf(
  { resources }: WebhookDoorOptions,
  request: DirectRequest,
): Promise<EventSourceRecord> {
  const [, tenant = "", namespace = "", name = ""] = PATH.exec(request.url) ?? [];
  if (request.method !== "POST") {
    throw new PlatformError("CS_METHOD_NOT_ALLOWED", "this path takes POST; see /docs");
  }
  const isName = isTenantId(tenant) && isResourceName(namespace) && isResourceName(name);
  const stored = isName ? await resources.get(EVENT_SOURCE_KIND, { tenant, namespace, name }) : undefined;
  const record = stored === undefined ? undefined : readEventSource(stored).record;
  if (record?.type === "webhook") return record;
  throw new PlatformError("CS_NOT_FOUND", "there is no event source of type webhook at this path");
}

function plainHeaders(request: DirectRequest): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return headers;
}

/** A function's own webhook comes back one deeper: circles end. */
const depthOf = (header: string | undefined): number =>
  header !== undefined && /^[0-9]{1,4}$/.test(header) ? Number(header) : 0;

function answer(response: DirectResponse, requestId: string, accepted: string[]): void {
  const body = Buffer.from(JSON.stringify({ accepted }));
  response.writeHead(202, {
    ...API_SECURITY_HEADERS,
    "content-type": "application/json; charset=utf-8",
    "content-length": body.length,
    "x-request-id": requestId,
  });
  response.end(body);
}
