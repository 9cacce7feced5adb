import {
  DEFAULT_NAMESPACE,
  ExecutionReply,
  FunctionSpec,
  GetActivationQuery,
  PageQuery,
  ResourceName,
} from "@sous/contract";
import Type from "typebox";
import { homeTenant } from "../auth/authorize.ts";
import type { Identity } from "../auth/identity.ts";
import { answers } from "./answers.ts";
import { audit } from "./audit.ts";
import { awaitActivation } from "./await-activation.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";
import { executionView } from "./execution-view.ts";
import { findFunction } from "./find-function.ts";
import { functionSpec } from "./function-spec.ts";
import { pageRequest } from "./page-request.ts";

const closed = { additionalProperties: false } as const;
const NameParams = Type.Object({ name: ResourceName }, closed);
const ExecutionParams = Type.Object(
  { execution_id: Type.String({ pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" }) },
  closed,
);
const tags = ["short forms"];

/** Short forms for the caller's own tenant and the default namespace, in nanofaas's shapes. */
export function registerShortRoutes(app: ControlApp, context: ControlContext): void {
  const { store, catalog, clock } = context;
  app.get(
    "/v1/functions",
    {
      config: { action: "cs:function:read" },
      schema: {
        tags,
        summary: "List functions",
        querystring: PageQuery,
        response: answers({ 200: Type.Array(FunctionSpec) }),
      },
    },
    async ({ identity, query }) => {
      const scope = { tenant: homeTenant(identity), namespace: DEFAULT_NAMESPACE, includeDeleted: false };
      const { items } = await store.functions.list(scope, pageRequest(query));
      return Promise.all(items.map((record) => functionSpec(context, record)));
    },
  );

  app.get(
    "/v1/functions/:name",
    {
      config: { action: "cs:function:read" },
      schema: {
        tags,
        summary: "Read a function",
        params: NameParams,
        response: answers({ 200: FunctionSpec }),
      },
    },
    async ({ identity, params }) =>
      functionSpec(context, await findFunction(store, keyOf(identity, params.name))),
  );

  app.delete(
    "/v1/functions/:name",
    {
      config: { action: "cs:function:delete" },
      schema: {
        tags,
        summary: "Delete a function",
        params: NameParams,
        response: answers({ 204: Type.Null() }),
      },
    },
    async (request, reply) => {
      const key = keyOf(request.identity, request.params.name);
      await store.functions.softDelete(key, clock());
      catalog.invalidate(key);
      audit(context, request, key.tenant, "FunctionDeleted", {
        namespace: key.namespace,
        function: key.name,
      });
      return reply.code(204).send(null);
    },
  );

  app.get(
    "/v1/executions/:execution_id",
    {
      config: { action: "cs:activation:read" },
      schema: {
        tags,
        summary: "Read an execution, or wait for its end",
        params: ExecutionParams,
        querystring: GetActivationQuery,
        response: answers({ 200: ExecutionReply }),
      },
    },
    async ({ identity, params, query }, reply) => {
      const tenant = homeTenant(identity);
      return executionView(
        await awaitActivation(context, reply.raw, tenant, params.execution_id, query.wait ?? 0),
      );
    },
  );
}

const keyOf = (identity: Identity, name: string) => ({
  tenant: homeTenant(identity),
  namespace: DEFAULT_NAMESPACE,
  name,
});
