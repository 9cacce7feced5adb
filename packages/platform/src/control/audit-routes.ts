import { AuditEventPage, ListAuditEventsQuery, TenantParams } from "@sous/contract";
import { answers } from "./answers.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";
import { pageRequest } from "./page-request.ts";

/** The audit trail: who changed what of a tenant. */
export function registerAuditRoutes(app: ControlApp, { store }: ControlContext): void {
  app.get(
    "/v1/tenants/:tenant/audit-events",
    {
      config: { action: "cs:audit:read" },
      schema: {
        tags: ["audit"],
        summary: "List who changed what, newest first",
        params: TenantParams,
        querystring: ListAuditEventsQuery,
        response: answers({ 200: AuditEventPage }),
      },
    },
    ({ params, query }) => {
      const { sub, action, type, resource, outcome, since: sinceMs, until: untilMs } = query;
      const filter = { tenant: params.tenant, sub, action, type, resource, outcome, sinceMs, untilMs };
      return store.audit.list(filter, pageRequest(query));
    },
  );
}
