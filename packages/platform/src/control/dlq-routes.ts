import {
  DeadLetterPage,
  DeadLetterParams,
  DeadLetterReply,
  DeadLetterSelection,
  ListDeadLettersQuery,
  NamespaceParams,
  PurgeReply,
  RedriveBody,
  RedriveReply,
} from "@sous/contract";
import { answers } from "./answers.ts";
import { audit } from "./audit.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";
import { listDeadLetters, showDeadLetter } from "./dead-letters.ts";
import { purgeDeadLetters, redriveDeadLetters } from "./redrive-dead-letters.ts";

const PATH = "/v1/tenants/:tenant/namespaces/:namespace/dlq";
const tags = ["dead letters"];

/** Dead letters: list, read, put back, take away. */
export function registerDlqRoutes(app: ControlApp, context: ControlContext): void {
  app.get(
    PATH,
    {
      config: { action: "cs:dlq:read" },
      schema: {
        tags,
        summary: "List dead letters, oldest first",
        params: NamespaceParams,
        querystring: ListDeadLettersQuery,
        response: answers({ 200: DeadLetterPage }),
      },
    },
    ({ params, query }) =>
      listDeadLetters(context, { ...params, function: query.function, kind: query.kind }, query),
  );

  app.get(
    `${PATH}/:id`,
    {
      config: { action: "cs:dlq:read" },
      schema: {
        tags,
        summary: "Read a dead letter with its event and what was tried",
        params: DeadLetterParams,
        response: answers({ 200: DeadLetterReply }),
      },
    },
    ({ params }) => showDeadLetter(context, params),
  );

  app.post(
    `${PATH}::redrive`,
    {
      config: { action: "cs:dlq:redrive" },
      schema: {
        tags,
        summary: "Put dead letters back, one with another event if need be",
        params: NamespaceParams,
        body: RedriveBody,
        response: answers({ 202: RedriveReply }),
      },
    },
    async (request, reply) => {
      const { params, body, identity } = request;
      const redriven = await redriveDeadLetters(context, params, body, identity.principal);
      audit(context, request, params.tenant, "DeadLettersRedriven", {
        namespace: params.namespace,
        function: body.function ?? null,
        edited: body.event !== undefined,
        redriven: redriven.redriven,
        failed: redriven.failed.length,
        ids: redriven.items.map(({ id }) => id).slice(0, AUDITED_IDS_MAX),
      });
      return reply.code(202).send(redriven);
    },
  );

  app.post(
    `${PATH}::purge`,
    {
      config: { action: "cs:dlq:purge" },
      schema: {
        tags,
        summary: "Take dead letters away for good",
        params: NamespaceParams,
        body: DeadLetterSelection,
        response: answers({ 200: PurgeReply }),
      },
    },
    async (request, reply) => {
      const { params, body } = request;
      const purge = await purgeDeadLetters(context, params, body);
      const { namespace, tenant } = params;
      const ids = body.ids?.slice(0, AUDITED_IDS_MAX) ?? null;
      audit(context, request, tenant, "DeadLettersPurged", {
        namespace,
        function: body.function ?? null,
        ids,
        purged: purge.purged,
      });
      return reply.send(purge);
    },
  );
}

const AUDITED_IDS_MAX = 100;
