import type { AuditEvent } from "@sous/contract";
import type { FastifyRequest } from "fastify";
import type { Identity } from "../auth/identity.ts";
import type { ControlContext } from "./control-context.ts";

/** Changes worth a line of audit (`cs.audit.v1`). */
export type AuditType =
  | "FunctionCreated"
  | "FunctionDeleted"
  | "DraftUploaded"
  | "FunctionPublished"
  | "AliasUpdated"
  | "AliasDeleted"
  | "PowersApproved"
  | "ActivationCancelled"
  | "DeadLettersRedriven"
  | "DeadLettersPurged"
  | "ScheduleCreated"
  | "ScheduleUpdated"
  | "ScheduleDeleted"
  | "ScheduleRun"
  | "CadenceWorkerCreated"
  | "CadenceWorkerUpdated"
  | "CadenceWorkerDeleted"
  | "EventSourceCreated"
  | "EventSourceUpdated"
  | "EventSourceDeleted"
  | "SecretSet"
  | "SecretDeleted"
  | "SecretsRekeyed"
  | "TokenCreated"
  | "TokenRevoked"
  | "UserCreated"
  | "UserUpdated"
  | "UserDeleted";

/** A token may have more; what it may do is in its own record. */
const ROLES_MAX = 64;

/** @returns who did it, as the audit trail names them */
export const actorOf = ({ principal, userId }: Identity): AuditEvent["actor"] => ({
  sub: principal.sub,
  ...(userId === undefined ? {} : { user_id: userId }),
  roles: principal.roles.slice(0, ROLES_MAX),
});

/** Says what a request changed, once the change is made: to the log at once, to the audit trail with its answer. */
export function audit(
  { logger, clock }: ControlContext,
  request: FastifyRequest,
  tenant: string,
  type: AuditType,
  data: Record<string, unknown>,
): void {
  request.auditTrail?.made.push({ tenant, type, data });
  const event = {
    schema: "cs.audit.v1",
    ts_ms: clock(),
    tenant,
    actor: actorOf(request.identity),
    type,
    data,
  };
  logger.info({ request_id: request.id, tenant, audit: event }, type);
}
