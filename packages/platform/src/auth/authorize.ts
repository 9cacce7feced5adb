import {
  DEFAULT_TENANT,
  PlatformError,
  type Principal,
  type TriggerType,
  type VersionAuthz,
} from "@sous/contract";
import type { Action } from "./actions.ts";
import type { Identity } from "./identity.ts";

/** The entry of a version's role list that lets everybody in. */
const PUBLIC_ROLE = "public";

/** @returns whether the principal passes every action of its tenant (never a version's role list) */
export const isAdmin = (principal: Principal): boolean =>
  principal.roles.includes("admin") || principal.roles.includes("role:admin");

/** @returns whether somebody with these roles may give one of them on: admin any, others those they have */
export const mayGive = (roles: readonly string[], role: string): boolean =>
  roles.includes(role) || roles.includes("admin") || roles.includes("role:admin");

/**
 * Checks that the caller could give every one of these roles.
 * @throws CS_AUTHZ_DENIED
 */
export function requireGivable({ principal }: Identity, roles: readonly string[]): void {
  const foreign = roles.find((role) => !mayGive(principal.roles, role));
  if (foreign === undefined) return;
  throw new PlatformError("CS_AUTHZ_DENIED", `you do not have the role ${foreign} and cannot pass it on`);
}

/**
 * Checks that the caller may do something in a tenant: first the action, then the tenant.
 * @throws CS_AUTHZ_DENIED when no role grants the action, CS_AUTHZ_RESOURCE_MISMATCH for another tenant
 */
export function authorize(identity: Identity, action: Action, tenant: string): void {
  if (!grants(identity.principal.roles, action)) {
    throw new PlatformError("CS_AUTHZ_DENIED", `this needs a role that grants ${action}`, {
      details: { action },
    });
  }
  if (identity.tenant !== null && identity.tenant !== tenant) {
    throw new PlatformError(
      "CS_AUTHZ_RESOURCE_MISMATCH",
      `the token does not belong to tenant ${tenant}; use one that does`,
    );
  }
}

/** @returns the tenant that the short forms mean: the token's own, or the local default */
export const homeTenant = (identity: Identity): string => identity.tenant ?? DEFAULT_TENANT;

/**
 * Checks a version's role list for one trigger. Being admin does not help: only a role of the list does.
 * @param principal `undefined` for a caller without a token, whom only `public` lets in
 * @param roles the list as published; empty denies
 * @throws CS_AUTHZ_ROLE_MISSING
 */
export function requireTriggerRole(principal: Principal | undefined, roles: readonly string[]): void {
  for (const role of roles) {
    if (role === PUBLIC_ROLE || principal?.roles.includes(role)) return;
  }
  throw new PlatformError(
    "CS_AUTHZ_ROLE_MISSING",
    roles.length === 0
      ? "the version lets nobody call it this way; publish it with a role list"
      : "none of your roles is in the version's role list",
  );
}

/** @returns the role list of a version that rules one trigger */
export function triggerRoles(authz: VersionAuthz, trigger: TriggerType): readonly string[] {
  switch (trigger) {
    case "http":
      return authz.invoke_http_roles;
    case "schedule":
      return authz.invoke_schedule_roles;
    case "cadence":
      return authz.invoke_cadence_roles;
    case "api":
      return authz.invoke_api_roles ?? authz.invoke_http_roles;
    case "event":
      return authz.invoke_event_roles ?? authz.invoke_http_roles;
  }
}

/** @returns whether a version's role list needs no token at all */
export const isPublic = (roles: readonly string[]): boolean => roles.includes(PUBLIC_ROLE);

function grants(roles: readonly string[], action: Action): boolean {
  for (const role of roles) {
    if (role === "admin" || role === "role:admin" || role === action) return true;
    // Compared in place, without building `action:` + action for each request.
    if (role.length === action.length + 7 && role.startsWith("action:") && role.endsWith(action)) return true;
  }
  return false;
}
