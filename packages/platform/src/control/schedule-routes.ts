import {
  CreateScheduleBody,
  DeletedReply,
  FunctionParams,
  NamespaceParams,
  PageQuery,
  PatchScheduleBody,
  PlatformError,
  RunScheduleReply,
  type ScheduleItem,
  SchedulePage,
  ScheduleReply,
} from "@sous/contract";
import { answers } from "./answers.ts";
import { audit } from "./audit.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";
import { pageRequest } from "./page-request.ts";
import { createSchedule, describeSchedule, findSchedule, itemOf, patchSchedule } from "./schedule-command.ts";

const SCHEDULES_PATH = "/v1/tenants/:tenant/namespaces/:namespace/schedules";
const tags = ["schedules"];

/** Schedules: create, read, change, delete, run now. */
export function registerScheduleRoutes(app: ControlApp, context: ControlContext): void {
  registerReads(app, context);
  const { store } = context;

  app.post(
    SCHEDULES_PATH,
    {
      config: { action: "cs:schedule:create" },
      schema: {
        tags,
        summary:
          "Create a schedule; its first tick is one interval, or the next moment of its cron, from now",
        params: NamespaceParams,
        body: CreateScheduleBody,
        response: answers({ 201: ScheduleReply }),
      },
    },
    async (request, reply) => {
      const created = await createSchedule(context, request.params, request.body);
      audit(context, request, request.params.tenant, "ScheduleCreated", auditOf(created));
      return reply.code(201).send(created);
    },
  );

  app.patch(
    `${SCHEDULES_PATH}/:name`,
    {
      config: { action: "cs:schedule:create" },
      schema: {
        tags,
        summary: "Change, pause or resume a schedule; it starts again from now",
        params: FunctionParams,
        body: PatchScheduleBody,
        response: answers({ 200: ScheduleReply }),
      },
    },
    async (request, reply) => {
      const changed = await patchSchedule(context, request.params, request.body);
      audit(context, request, request.params.tenant, "ScheduleUpdated", auditOf(changed));
      return reply.send(changed);
    },
  );

  app.delete(
    `${SCHEDULES_PATH}/:name`,
    {
      config: { action: "cs:schedule:delete" },
      schema: {
        tags,
        summary: "Delete a schedule; what it has started goes on",
        params: FunctionParams,
        response: answers({ 200: DeletedReply }),
      },
    },
    async (request, reply) => {
      const { tenant, namespace, name } = request.params;
      await store.schedules.delete(request.params);
      audit(context, request, tenant, "ScheduleDeleted", { namespace, schedule: name });
      return reply.send({ status: "deleted" });
    },
  );

  app.post(
    `${SCHEDULES_PATH}/:name(^[^:]+)::run`,
    {
      config: { action: "cs:schedule:create" },
      schema: {
        tags,
        summary: "Run what a schedule runs, now and beside its ticks, also while it is paused",
        params: FunctionParams,
        response: answers({ 202: RunScheduleReply }),
      },
    },
    async (request, reply) => {
      const { tenant, namespace, name } = request.params;
      const { record } = await findSchedule(context, request.params);
      const { activationId, outcome } = await context.runs.now(record, request.identity.principal.sub);
      const data = { namespace, schedule: name, activation_id: activationId };
      audit(context, request, tenant, "ScheduleRun", data);
      if (outcome === "refused") await refused(context, tenant, activationId);
      return reply.code(202).send({ activation_id: activationId, status: "queued" });
    },
  );
}

function registerReads(app: ControlApp, context: ControlContext): void {
  const { store } = context;

  app.get(
    SCHEDULES_PATH,
    {
      config: { action: "cs:schedule:read" },
      schema: {
        tags,
        summary: "List the schedules of a namespace",
        params: NamespaceParams,
        querystring: PageQuery,
        response: answers({ 200: SchedulePage }),
      },
    },
    async ({ params, query }) => {
      const { items, next_cursor } = await store.schedules.list(params, pageRequest(query));
      return { items: items.map(itemOf), next_cursor };
    },
  );

  app.get(
    `${SCHEDULES_PATH}/:name`,
    {
      config: { action: "cs:schedule:read" },
      schema: {
        tags,
        summary: "Read a schedule, with its next five runs",
        params: FunctionParams,
        response: answers({ 200: ScheduleReply }),
      },
    },
    async ({ params }) => describeSchedule(context, await findSchedule(context, params)),
  );
}

/** What audit keeps: never the payload. */
function auditOf(schedule: ScheduleItem): Record<string, unknown> {
  const { namespace, name, every_seconds, cron, timezone, ref, enabled, generation } = schedule;
  const times = every_seconds === undefined ? { cron, timezone } : { every_seconds };
  return { namespace, schedule: name, ...times, ref, enabled, generation };
}

/** Somebody waits for the answer: it says what the record says. */
async function refused({ store }: ControlContext, tenant: string, activationId: string): Promise<never> {
  const record = await store.activations.get(tenant, activationId);
  const code = record?.error?.type === "RoleMissing" ? "CS_AUTHZ_ROLE_MISSING" : "CS_NOT_FOUND";
  throw new PlatformError(code, record?.error?.message ?? "the schedule's ref names nothing", {
    details: { activation_id: activationId },
  });
}
