import {
  CreateUserBody,
  DeletedReply,
  PageQuery,
  PatchUserBody,
  TenantParams,
  UserPage,
  UserParams,
  UserRecord,
} from "@sous/contract";
import { findUser, USER_KIND, userOf, usersOf } from "../auth/user-records.ts";
import { answers } from "./answers.ts";
import { audit } from "./audit.ts";
import type { ControlApp } from "./control-app.ts";
import type { ControlContext } from "./control-context.ts";
import { pageRequest } from "./page-request.ts";
import { createUser, deleteUser, patchUser } from "./user-command.ts";

const USERS_PATH = "/v1/tenants/:tenant/users";
const tags = ["users"];

/** Users of a tenant: create, read, change, delete. */
export function registerUserRoutes(app: ControlApp, context: ControlContext): void {
  registerReads(app, context);

  app.post(
    USERS_PATH,
    {
      config: { action: "cs:user:create" },
      schema: {
        tags,
        summary: "Create a user, with the roles its tokens may have",
        params: TenantParams,
        body: CreateUserBody,
        response: answers({ 201: UserRecord }),
      },
    },
    async (request, reply) => {
      const { tenant } = request.params;
      const created = await createUser(context, request.identity, tenant, request.body);
      audit(context, request, tenant, "UserCreated", auditOf(created));
      return reply.code(201).send(created);
    },
  );

  app.patch(
    `${USERS_PATH}/:user`,
    {
      config: { action: "cs:user:create" },
      schema: {
        tags,
        summary: "Change, disable or enable a user; its tokens follow",
        params: UserParams,
        body: PatchUserBody,
        response: answers({ 200: UserRecord }),
      },
    },
    async (request, reply) => {
      const changed = await patchUser(context, request.identity, request.params, request.body);
      audit(context, request, request.params.tenant, "UserUpdated", auditOf(changed));
      return reply.send(changed);
    },
  );

  app.delete(
    `${USERS_PATH}/:user`,
    {
      config: { action: "cs:user:delete" },
      schema: {
        tags,
        summary: "Delete a user; none of its tokens counts any more",
        params: UserParams,
        response: answers({ 200: DeletedReply }),
      },
    },
    async (request, reply) => {
      const deleted = await deleteUser(context, request.identity, request.params);
      audit(context, request, request.params.tenant, "UserDeleted", auditOf(deleted));
      return reply.send({ status: "deleted" });
    },
  );
}

function registerReads(app: ControlApp, { store }: ControlContext): void {
  app.get(
    USERS_PATH,
    {
      config: { action: "cs:user:read" },
      schema: {
        tags,
        summary: "List the users of a tenant",
        params: TenantParams,
        querystring: PageQuery,
        response: answers({ 200: UserPage }),
      },
    },
    async ({ params, query }) => {
      const page = await store.resources.list(USER_KIND, usersOf(params.tenant), pageRequest(query));
      return { items: page.items.map(userOf), next_cursor: page.next_cursor };
    },
  );

  app.get(
    `${USERS_PATH}/:user`,
    {
      config: { action: "cs:user:read" },
      schema: {
        tags,
        summary: "Read a user",
        params: UserParams,
        response: answers({ 200: UserRecord }),
      },
    },
    async ({ params }) => (await findUser(store.resources, params.tenant, params.user)).user,
  );
}

function auditOf({ user_id, name, roles, state }: UserRecord): Record<string, unknown> {
  return { user_id, name, roles, state };
}
