import type { FastifyRequest } from "fastify";
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
  | "TokenCreated"
  | "TokenRevoked";

/** Says what a request changed, once the change is made: to the log at once, to the audit trail with its answer. */
export function audit(
  { logger, clock }: ControlContext,
  request: FastifyRequest,
  tenant: string,
  type: AuditType,
  data: Record<string, unknown>,
): void {
  request.auditTrail?.made.push({ tenant, type, data });
  const { principal } = request.identity;
  const event = {
    schema: "cs.audit.v1",
    ts_ms: clock(),
    tenant,
    actor: { sub: principal.sub, roles: principal.roles },
    type,
    data,
  };
  logger.info({ request_id: request.id, tenant, audit: event }, type);
}
