import Type, { type Static } from "typebox";
import { UserName } from "./names.ts";

const closed = { additionalProperties: false } as const;
const TimeMs = Type.Integer({ minimum: 0 });
const ROLES_MAX = 256;

export const USER_STATES = ["active", "disabled"] as const;
/** Whether a user's tokens count. */
export type UserState = (typeof USER_STATES)[number];

/** Roles and actions, as tokens and version configs name them: `role:app`, `cs:function:publish`. */
export const RoleList = Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: ROLES_MAX });

/** The fields of a user that others set. */
export const userFields = {
  display_name: Type.String({ maxLength: 256, description: "What people call this user" }),
  roles: RoleList,
  state: Type.Enum([...USER_STATES], { description: "disabled: none of the user's tokens counts" }),
};

export const UserRecord = Type.Object(
  {
    user_id: Type.String({ description: "Never given twice, unlike the name" }),
    tenant: Type.String(),
    name: UserName,
    ...userFields,
    created_at_ms: TimeMs,
    updated_at_ms: TimeMs,
  },
  closed,
);
/** Somebody who has tokens: they speak for the user, and have of their roles those that the user has. */
export type UserRecord = Static<typeof UserRecord>;
