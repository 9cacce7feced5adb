import {
  ActivationLogsQuery,
  ActivationPage,
  ActivationParams,
  ActivationRecord,
  CancelReply,
  GetActivationQuery,
  ListActivationsQuery,
  LogsReply,
  TenantParams,
} from "@sous/contract";
import { answers } from "./answers.ts";
import { audit } from "./audit.ts";
import { awaitActivation } from "./await-activation.ts";
import { cancelActivation } from "./cancel-activation.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";
import { openEventStream } from "./event-stream.ts";
import { findActivation } from "./find-activation.ts";
import { followActivation } from "./follow-activation.ts";
import { listActivations } from "./list-activations.ts";
import { pageRequest } from "./page-request.ts";
import { readLogs } from "./read-logs.ts";
import { runStream } from "./run-stream.ts";

const PATH = "/v1/tenants/:tenant/activations";
const tags = ["activations"];

/** Activations: list, read, logs, cancel. */
export function registerActivationRoutes(app: ControlApp, context: ControlContext): void {
  const config = { action: "cs:activation:read" } as const;

  app.get(
    PATH,
    {
      config,
      schema: {
        tags,
        summary: "List activations, newest first",
        params: TenantParams,
        querystring: ListActivationsQuery,
        response: answers({ 200: ActivationPage }),
      },
    },
    ({ params, query }) => {
      const { namespace, function: name, status, trigger, since: sinceMs } = query;
      const filter = { tenant: params.tenant, namespace, function: name, status, trigger, sinceMs };
      return listActivations(context, filter, pageRequest(query));
    },
  );

  app.get(
    `${PATH}/:activation_id`,
    {
      config,
      schema: {
        tags,
        summary: "Read an activation, or wait for its end",
        params: ActivationParams,
        querystring: GetActivationQuery,
        response: answers({ 200: ActivationRecord }),
      },
    },
    (request, reply) => {
      const { tenant, activation_id } = request.params;
      return awaitActivation(context, reply.raw, tenant, activation_id, request.query.wait ?? 0);
    },
  );

  app.get(
    `${PATH}/:activation_id/logs`,
    {
      config,
      schema: {
        tags,
        summary: "Read or follow the log of an activation",
        params: ActivationParams,
        querystring: ActivationLogsQuery,
        response: answers({ 200: LogsReply }),
      },
    },
    async (request, reply) => {
      const { tenant, activation_id } = request.params;
      const { query } = request;
      if (query.follow !== true) return readLogs(context, tenant, activation_id, query);
      await findActivation(context, tenant, activation_id);
      const from = Number(query.cursor ?? lastEventId(request.headers["last-event-id"]));
      const stream = openEventStream(reply, context.closing);
      return runStream(context, request, stream, () =>
        followActivation(context, tenant, activation_id, from, stream),
      );
    },
  );

  app.post(
    `${PATH}/:activation_id(^[^:]+)::cancel`,
    {
      config: { action: "cs:activation:cancel" },
      schema: {
        tags,
        summary: "Ask an activation to end early",
        params: ActivationParams,
        response: answers({ 202: CancelReply }),
      },
    },
    async (request, reply) => {
      const { tenant, activation_id } = request.params;
      const cancelled = await cancelActivation(context, tenant, activation_id);
      audit(context, request, tenant, "ActivationCancelled", { activation_id });
      return reply.code(202).send(cancelled);
    },
  );
}

/** Where a browser that lost the stream says it was. */
const lastEventId = (header: string | string[] | undefined): string =>
  typeof header === "string" && /^[0-9]{1,9}$/.test(header) ? header : "0";
