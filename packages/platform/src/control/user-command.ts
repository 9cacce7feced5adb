import {
  type CreateUserBody,
  newUserId,
  type PatchUserBody,
  PlatformError,
  type UserRecord,
} from "@sous/contract";
import { requireGivable } from "../auth/authorize.ts";
import type { Identity } from "../auth/identity.ts";
import { findUser, USER_KIND, userKey } from "../auth/user-records.ts";
import type { ControlContext } from "./control-context.ts";

/** How often a change is tried again that somebody else's change came before. */
const TRIES = 5;

/**
 * Makes a user of a tenant.
 * @throws CS_AUTHZ_DENIED for a role the caller does not have itself, CS_CONFLICT where the name is taken or the tenant
 *   has all it may
 */
export async function createUser(
  { store, clock, limits }: ControlContext,
  identity: Identity,
  tenant: string,
  { name, roles, display_name = "", state = "active" }: CreateUserBody,
): Promise<UserRecord> {
  requireGivable(identity, roles);
  const nowMs = clock();
  const record: UserRecord = {
    user_id: newUserId(),
    tenant,
    name,
    display_name,
    roles: [...new Set(roles)],
    state,
    created_at_ms: nowMs,
    updated_at_ms: nowMs,
  };
  await store.resources.create(
    USER_KIND,
    userKey(tenant, name),
    JSON.stringify(record),
    limits.usersPerTenantMax,
  );
  return record;
}

/**
 * Changes a user. Its tokens follow at once here, and in other processes within the time of their caches.
 * @throws CS_NOT_FOUND; CS_AUTHZ_DENIED for a user with a role, before or after, that the caller does not have itself;
 *   CS_CONFLICT when others change it all the time
 */
export async function patchUser(
  { store, clock, auth }: ControlContext,
  identity: Identity,
  { tenant, user: name }: { tenant: string; user: string },
  body: PatchUserBody,
): Promise<UserRecord> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const { generation, user: before } = await findUser(store.resources, tenant, name);
    const roles = [...new Set(body.roles ?? before.roles)];
    requireGivable(identity, [...before.roles, ...roles]);
    const record: UserRecord = { ...before, ...body, roles, updated_at_ms: clock() };
    const key = userKey(tenant, name);
    if (!(await store.resources.replace(USER_KIND, key, generation, JSON.stringify(record)))) continue;
    auth.forget(record.user_id);
    return record;
  }
  throw new PlatformError("CS_CONFLICT", `user ${name} is being changed by others; try again`);
}

/**
 * Deletes a user; none of its tokens counts any more, whoever gets the name.
 * @throws CS_NOT_FOUND; CS_AUTHZ_DENIED as `patchUser`; CS_CONFLICT when others change it meanwhile
 */
export async function deleteUser(
  { store, auth }: ControlContext,
  identity: Identity,
  { tenant, user: name }: { tenant: string; user: string },
): Promise<UserRecord> {
  const { generation, user } = await findUser(store.resources, tenant, name);
  requireGivable(identity, user.roles);
  if (!(await store.resources.delete(USER_KIND, userKey(tenant, name), generation))) {
    throw new PlatformError("CS_CONFLICT", `user ${name} was changed meanwhile; look again, and try again`);
  }
  auth.forget(user.user_id);
  return user;
}
