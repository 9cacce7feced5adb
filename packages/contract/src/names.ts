import Type, { type Static } from "typebox";

/** Tenant id: `t_` and 6–32 lower-case letters or digits. */
export const TenantId = Type.String({ pattern: "^t_[a-z0-9]{6,32}$", description: "Tenant id" });
/** Namespace, function, schedule and binding names: 3–64 characters. */
export const ResourceName = Type.String({ pattern: "^[a-z][a-z0-9_-]{2,63}$", description: "Name" });
/** Alias name; `latest` is reserved and always means the newest version. */
export const AliasName = Type.String({ pattern: "^[a-z][a-z0-9_-]{1,31}$", description: "Alias" });
/** Version number, assigned by the platform from 1 upwards, never reused. */
export const VersionNumber = Type.Integer({ minimum: 1, maximum: 2_147_483_647, description: "Version" });
/** Name of a secret: 1–128 characters. */
export const SecretName = Type.String({
  pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$",
  description: "Secret name",
});
/** Name of a user, an address of mail too: 1–128 characters. */
export const UserName = Type.String({
  pattern: "^[A-Za-z0-9][A-Za-z0-9_.@-]{0,127}$",
  description: "User name",
});
/** Idempotency key: 1–128 printable ASCII characters. */
export const IdempotencyKey = Type.String({ pattern: "^[\\x20-\\x7e]{1,128}$" });

export type TenantId = Static<typeof TenantId>;

const tenantPattern = /^t_[a-z0-9]{6,32}$/;
const resourcePattern = /^[a-z][a-z0-9_-]{2,63}$/;
const aliasPattern = /^[a-z][a-z0-9_-]{1,31}$/;

/** The tenant every caller has in the embedded default. */
/** Header by which a call out of a function tells how many functions called one another up to it. */
export const DEPTH_HEADER = "x-cs-depth";

export const DEFAULT_TENANT = "t_default";
/** The namespace used when none is given. */
export const DEFAULT_NAMESPACE = "default";
/** The alias that cannot be written and always resolves to the newest version. */
export const LATEST_ALIAS = "latest";

export const isTenantId = (text: string): boolean => tenantPattern.test(text);
export const isResourceName = (text: string): boolean => resourcePattern.test(text);
export const isAliasName = (text: string): boolean => aliasPattern.test(text);

/** Which version of a function a caller means: by alias, by number, or (neither) the newest. */
export type RefTarget = { alias: string } | { version: number };

/**
 * Reads the text form of a reference, as it stands in a path or after `name@`.
 * @param text `17` for a version, `prod` for an alias
 * @returns the target, or `undefined` where the syntax is wrong
 */
export function parseRefTarget(text: string): RefTarget | undefined {
  if (/^[1-9][0-9]{0,9}$/.test(text)) {
    const version = Number(text);
    return version <= 2_147_483_647 ? { version } : undefined;
  }
  return aliasPattern.test(text) ? { alias: text } : undefined;
}
