import {
  CreateTokenBody,
  CreateTokenReply,
  DeletedReply,
  ListTokensQuery,
  RevokeTokenQuery,
  TokenPage,
  TokenParams,
} from "@sous/contract";
import { authorize, homeTenant } from "../auth/authorize.ts";
import { answers } from "./answers.ts";
import { audit } from "./audit.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";
import { createToken } from "./create-token.ts";
import { pageRequest } from "./page-request.ts";

const tags = ["tokens"];

/** Local API tokens: create, list, revoke. */
export function registerTokenRoutes(app: ControlApp, context: ControlContext): void {
  const { store, auth, clock } = context;

  app.post(
    "/v1/tokens",
    {
      config: { action: "cs:token:create" },
      schema: {
        tags,
        summary: "Create an API token; it is shown only in this answer",
        body: CreateTokenBody,
        response: answers({ 201: CreateTokenReply }),
      },
    },
    async (request, reply) => {
      const created = await createToken(context, request.identity, request.body);
      const { token_id, sub, user_id, roles, tenant, expires_at_ms } = created.record;
      audit(context, request, tenant, "TokenCreated", { token_id, sub, user_id, roles, expires_at_ms });
      return reply.code(201).send(created);
    },
  );

  app.get(
    "/v1/tokens",
    {
      config: { action: "cs:token:read" },
      schema: {
        tags,
        summary: "List the API tokens of a tenant",
        querystring: ListTokensQuery,
        response: answers({ 200: TokenPage }),
      },
    },
    ({ query, identity }) => {
      const tenant = query.tenant ?? homeTenant(identity);
      authorize(identity, "cs:token:read", tenant);
      return store.tokens.list(tenant, pageRequest(query));
    },
  );

  app.delete(
    "/v1/tokens/:token_id",
    {
      config: { action: "cs:token:delete" },
      schema: {
        tags,
        summary: "Revoke an API token",
        params: TokenParams,
        querystring: RevokeTokenQuery,
        response: answers({ 200: DeletedReply }),
      },
    },
    async (request, reply) => {
      const { token_id } = request.params;
      const tenant = request.query.tenant ?? homeTenant(request.identity);
      authorize(request.identity, "cs:token:delete", tenant);
      await store.tokens.revoke(tenant, token_id, clock());
      auth.forget(token_id);
      audit(context, request, tenant, "TokenRevoked", { token_id });
      return reply.send({ status: "deleted" });
    },
  );
}
