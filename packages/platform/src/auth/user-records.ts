import { PlatformError, type UserRecord } from "@sous/contract";
import type { FunctionKey, ResourceStore, StoredResource } from "@sous/store";

/** What users are called among the resources of the store. */
export const USER_KIND = "user";

/** Users belong to a tenant, not to one of its namespaces: all are kept in one that no name of a namespace can be. */
const NAMESPACE = "_";

/** @returns where the users of a tenant are kept */
export const usersOf = (tenant: string) => ({ tenant, namespace: NAMESPACE });

/** @returns where a user is kept */
export const userKey = (tenant: string, name: string): FunctionKey => ({ ...usersOf(tenant), name });

/** @returns a user as it is kept */
export const userOf = ({ record_json }: Pick<StoredResource, "record_json">): UserRecord =>
  JSON.parse(record_json) as UserRecord;

/** @returns a user, and the number of its last change. @throws CS_NOT_FOUND */
export async function findUser(
  resources: Pick<ResourceStore, "get">,
  tenant: string,
  name: string,
): Promise<{ user: UserRecord; generation: number }> {
  const stored = await resources.get(USER_KIND, userKey(tenant, name));
  if (stored !== undefined) return { user: userOf(stored), generation: stored.generation };
  throw new PlatformError("CS_NOT_FOUND", `there is no user ${name}; \`cs user create ${name}\` makes one`);
}
