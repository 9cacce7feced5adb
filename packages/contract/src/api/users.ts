import Type, { type Static } from "typebox";
import { TenantId, UserName } from "../names.ts";
import { userFields, UserRecord } from "../user.ts";
import { pageOf } from "./paging.ts";

const closed = { additionalProperties: false } as const;
const { roles, ...rest } = userFields;

/** Body of `POST …/users`. */
export const CreateUserBody = Type.Object(
  { name: UserName, roles, ...Type.Partial(Type.Object(rest)).properties },
  closed,
);
export type CreateUserBody = Static<typeof CreateUserBody>;

/** Body of `PATCH …/users/{user}`: what changes; `roles` replaces the whole list. */
export const PatchUserBody = Type.Partial(Type.Object(userFields, closed), { ...closed, minProperties: 1 });
export type PatchUserBody = Static<typeof PatchUserBody>;

/** Path of one user. */
export const UserParams = Type.Object({ tenant: TenantId, user: UserName }, closed);
export type UserParams = Static<typeof UserParams>;

/** Answer of `GET …/users`: by name, ascending. */
export const UserPage = pageOf(UserRecord);
export type UserPage = Static<typeof UserPage>;
