/** The services of the platform that may run as processes of their own. */
export const ROLES = ["control", "gateway", "invoker", "scheduler", "cadence", "event-sources"] as const;
export type Role = (typeof ROLES)[number];

/** What `role` may say: each role, or all of them. */
export const ROLE_NAMES = ["all", ...ROLES] as const;

/** @returns the roles a setting names; `all` is every one of them */
export function rolesOf(names: readonly (typeof ROLE_NAMES)[number][]): ReadonlySet<Role> {
  return new Set(names.flatMap((name) => (name === "all" ? ROLES : [name])));
}

/** @returns whether a process leaves work to others: then queue and store are shared with them */
export const isApart = (roles: ReadonlySet<Role>): boolean => ROLES.some((role) => !roles.has(role));
