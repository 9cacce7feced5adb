import {
  type CadenceWorkerItem,
  CadenceWorkerPage,
  CadenceWorkerReply,
  CreateCadenceWorkerBody,
  DeletedReply,
  FunctionParams,
  NamespaceParams,
  PageQuery,
  PatchCadenceWorkerBody,
} from "@sous/contract";
import { CADENCE_WORKER_KIND, workerOf } from "../cadence-workers/worker-records.ts";
import { answers } from "./answers.ts";
import { audit } from "./audit.ts";
import { createWorker, deleteWorker, describeWorker, findWorker, patchWorker } from "./cadence-command.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";
import { pageRequest } from "./page-request.ts";

const WORKERS_PATH = "/v1/tenants/:tenant/namespaces/:namespace/cadence/workers";
const tags = ["cadence"];

/** Cadence workers: create, read, change, delete. */
export function registerCadenceRoutes(app: ControlApp, context: ControlContext): void {
  registerReads(app, context);

  app.post(
    WORKERS_PATH,
    {
      config: { action: "cs:cadence:worker:create" },
      schema: {
        tags,
        summary: "Create a Cadence worker: it takes the activity tasks of a task list from now on",
        params: NamespaceParams,
        body: CreateCadenceWorkerBody,
        response: answers({ 201: CadenceWorkerReply }),
      },
    },
    async (request, reply) => {
      const created = await createWorker(context, request.params, request.body);
      audit(context, request, request.params.tenant, "CadenceWorkerCreated", auditOf(created));
      return reply.code(201).send(created);
    },
  );

  app.patch(
    `${WORKERS_PATH}/:name`,
    {
      config: { action: "cs:cadence:worker:create" },
      schema: {
        tags,
        summary: "Change, pause or resume a Cadence worker; what it has taken goes on",
        params: FunctionParams,
        body: PatchCadenceWorkerBody,
        response: answers({ 200: CadenceWorkerReply }),
      },
    },
    async (request, reply) => {
      const changed = await patchWorker(context, request.params, request.body);
      audit(context, request, request.params.tenant, "CadenceWorkerUpdated", auditOf(changed));
      return reply.send(changed);
    },
  );

  app.delete(
    `${WORKERS_PATH}/:name`,
    {
      config: { action: "cs:cadence:worker:delete" },
      schema: {
        tags,
        summary: "Delete a Cadence worker; what it has taken goes on",
        params: FunctionParams,
        response: answers({ 200: DeletedReply }),
      },
    },
    async (request, reply) => {
      const { tenant, namespace, name } = request.params;
      await deleteWorker(context, request.params);
      audit(context, request, tenant, "CadenceWorkerDeleted", { namespace, worker: name });
      return reply.send({ status: "deleted" });
    },
  );
}

function registerReads(app: ControlApp, context: ControlContext): void {
  const { store } = context;

  app.get(
    WORKERS_PATH,
    {
      config: { action: "cs:cadence:worker:read" },
      schema: {
        tags,
        summary: "List the Cadence workers of a namespace",
        params: NamespaceParams,
        querystring: PageQuery,
        response: answers({ 200: CadenceWorkerPage }),
      },
    },
    async ({ params, query }) => {
      const page = await store.resources.list(CADENCE_WORKER_KIND, params, pageRequest(query));
      return { items: page.items.map(workerOf), next_cursor: page.next_cursor };
    },
  );

  app.get(
    `${WORKERS_PATH}/:name`,
    {
      config: { action: "cs:cadence:worker:read" },
      schema: {
        tags,
        summary: "Read a Cadence worker, with what will not work yet",
        params: FunctionParams,
        response: answers({ 200: CadenceWorkerReply }),
      },
    },
    async ({ params }) => describeWorker(context, await findWorker(context, params)),
  );
}

function auditOf(worker: CadenceWorkerItem): Record<string, unknown> {
  const { namespace, name, domain, tasklist, worker_id, enabled, generation } = worker;
  return { namespace, worker: name, domain, tasklist, worker_id, enabled, generation };
}
