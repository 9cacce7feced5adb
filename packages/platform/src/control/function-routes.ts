import {
  CreateFunctionBody,
  DeletedReply,
  FunctionLogsPage,
  FunctionLogsQuery,
  FunctionPage,
  FunctionParams,
  FunctionRecord,
  FunctionReply,
  GetFunctionQuery,
  ListFunctionsQuery,
  NamespaceParams,
} from "@sous/contract";
import { answers } from "./answers.ts";
import { audit } from "./audit.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";
import { createFunction } from "./create-function.ts";
import { describeFunction } from "./describe-function.ts";
import { openEventStream } from "./event-stream.ts";
import { findFunction } from "./find-function.ts";
import { followFunction, readFunctionLogs } from "./function-logs.ts";
import { pageRequest } from "./page-request.ts";
import { runStream } from "./run-stream.ts";

export const FUNCTIONS_PATH = "/v1/tenants/:tenant/namespaces/:namespace/functions";
const tags = ["functions"];

/** Functions: create, list, read, delete, and what they logged. */
export function registerFunctionRoutes(app: ControlApp, context: ControlContext): void {
  const { store, catalog, clock } = context;

  app.post(
    FUNCTIONS_PATH,
    {
      config: { action: "cs:function:create" },
      schema: {
        tags,
        summary: "Create a function, or revive a deleted one",
        params: NamespaceParams,
        body: CreateFunctionBody,
        response: answers({ 201: FunctionRecord }),
      },
    },
    async (request, reply) => {
      const record = await createFunction(context, request.params, request.body);
      const { namespace, name, runtime } = record;
      audit(context, request, record.tenant, "FunctionCreated", { namespace, function: name, runtime });
      return reply.code(201).send(record);
    },
  );

  app.get(
    FUNCTIONS_PATH,
    {
      config: { action: "cs:function:read" },
      schema: {
        tags,
        summary: "List functions by name",
        params: NamespaceParams,
        querystring: ListFunctionsQuery,
        response: answers({ 200: FunctionPage }),
      },
    },
    ({ params, query }) =>
      store.functions.list({ ...params, includeDeleted: query.include_deleted ?? false }, pageRequest(query)),
  );

  app.get(
    `${FUNCTIONS_PATH}/:name`,
    {
      config: { action: "cs:function:read" },
      schema: {
        tags,
        summary: "Read a function with its aliases and newest version",
        params: FunctionParams,
        querystring: GetFunctionQuery,
        response: answers({ 200: FunctionReply }),
      },
    },
    ({ params, query }) => describeFunction(context, params, query.include_deleted ?? false),
  );

  app.delete(
    `${FUNCTIONS_PATH}/:name`,
    {
      config: { action: "cs:function:delete" },
      schema: {
        tags,
        summary: "Delete a function; its versions are kept",
        params: FunctionParams,
        response: answers({ 200: DeletedReply }),
      },
    },
    async (request, reply) => {
      const { tenant, namespace, name } = request.params;
      await store.functions.softDelete(request.params, clock());
      catalog.invalidate(request.params);
      audit(context, request, tenant, "FunctionDeleted", { namespace, function: name });
      return reply.send({ status: "deleted" });
    },
  );

  app.get(
    `${FUNCTIONS_PATH}/:name/logs`,
    {
      config: { action: "cs:activation:read" },
      schema: {
        tags,
        summary: "Read or follow what a function logged",
        params: FunctionParams,
        querystring: FunctionLogsQuery,
        response: answers({ 200: FunctionLogsPage }),
      },
    },
    async (request, reply) => {
      const { params, query } = request;
      await findFunction(store, params, true);
      if (query.follow !== true) return readFunctionLogs(context, params, query);
      const stream = openEventStream(reply, context.closing);
      return runStream(context, request, stream, () =>
        followFunction(context, params, query.since ?? clock(), stream),
      );
    },
  );
}
