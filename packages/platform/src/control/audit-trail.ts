import { type AuditEnd, type AuditEvent, type AuditOutcome, newAuditEventId } from "@sous/contract";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Action } from "../auth/actions.ts";
import { homeTenant } from "../auth/authorize.ts";
import { actorOf } from "./audit.ts";
import { auditResource, nameResource } from "./audit-resource.ts";
import type { ControlContext } from "./control-context.ts";

/** What one request changes, while it does. */
export interface AuditTrail {
  readonly event: AuditEvent;
  /** What it says it has done, in order. */
  readonly made: { tenant: string; type: string; data: Record<string, unknown> }[];
  /** Code of the error it is answered with. */
  code: string | null;
}

type Context = Pick<ControlContext, "store" | "clock" | "logger" | "limits">;

const isChange = (method: string, action: Action | undefined): action is Action =>
  action !== undefined && method !== "GET" && method !== "HEAD" && !action.endsWith(":read");

/**
 * Keeps an event before the change is tried: a change that leaves no trace is refused instead (503). From here on the
 * store knows that it was tried, whatever becomes of this process.
 * @throws CS_STORE_UNAVAILABLE
 */
export async function beginAudit({ store, clock }: Context, request: FastifyRequest): Promise<void> {
  const { action } = request.routeOptions.config;
  if (!isChange(request.method, action)) return;
  const { tenant = homeTenant(request.identity) } = request.params as { tenant?: string };
  const event: AuditEvent = {
    schema: "cs.audit.v1",
    event_id: newAuditEventId(),
    ts_ms: clock(),
    tenant,
    actor: actorOf(request.identity),
    action,
    type: null,
    resource: auditResource(tenant, request),
    request_id: request.id,
    outcome: "unknown",
    status: null,
    code: null,
    ended_at_ms: null,
    data: {},
  };
  await store.audit.begin(event);
  request.auditTrail = { event, made: [], code: null };
}

/**
 * Writes what became of it, before the answer goes out. The change is made or not by now: where this cannot be written
 * the answer stays as it is, the event stays `unknown`, and the log has what it says.
 */
export async function endAudit(
  context: Context,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { auditTrail: trail } = request;
  if (trail === undefined) return;
  request.auditTrail = undefined;
  const { event, made } = trail;
  const own = made.find(({ tenant }) => tenant === event.tenant) ?? made[0];
  const known = {
    outcome: outcomeOf(reply.statusCode),
    status: reply.statusCode,
    code: trail.code,
    ended_at_ms: context.clock(),
  };
  const endOf = (change: AuditTrail["made"][number] | undefined): AuditEnd => ({
    ...known,
    type: change?.type ?? null,
    resource: nameResource(event.resource, change?.data ?? {}),
    data: bounded(change?.data ?? {}, context.limits.auditDataBytesMax),
  });
  try {
    const { audit } = context.store;
    // Of one tick, and so of one transaction.
    const writes: Promise<unknown>[] = [audit.end(event.tenant, event.event_id, endOf(own))];
    for (const change of made) {
      if (change === own && change.tenant === event.tenant) continue;
      const more = { ...event, event_id: newAuditEventId(), tenant: change.tenant };
      writes.push(audit.begin(more), audit.end(change.tenant, more.event_id, endOf(change)));
    }
    await Promise.all(writes);
  } catch (error) {
    context.logger.error(
      { request_id: request.id, tenant: event.tenant, event_id: event.event_id, ...known, error },
      "the end of an audit event could not be written; it stays unknown",
    );
  }
}

function outcomeOf(status: number): AuditOutcome {
  if (status < 400) return "success";
  return status < 500 ? "refused" : "failed";
}

const bounded = (data: Record<string, unknown>, bytesMax: number): Record<string, unknown> =>
  Buffer.byteLength(JSON.stringify(data)) <= bytesMax ? data : { truncated: true };
