import Type, { type Static } from "typebox";
import { ResourceName, SecretName, TenantId } from "../names.ts";

const closed = { additionalProperties: false } as const;

const Version = Type.String({ pattern: "^[1-9][0-9]{0,9}$", description: "Version number" });
const Uuid = Type.String({
  pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
  description: "Activation id",
});
/** In a path any alias may stand; what may be written is checked by the command. */
const Alias = Type.String({ minLength: 1, maxLength: 64, description: "Alias" });

export const TenantParams = Type.Object({ tenant: TenantId }, closed);
export type TenantParams = Static<typeof TenantParams>;

export const NamespaceParams = Type.Object({ tenant: TenantId, namespace: ResourceName }, closed);
export type NamespaceParams = Static<typeof NamespaceParams>;

export const FunctionParams = Type.Object(
  { tenant: TenantId, namespace: ResourceName, name: ResourceName },
  closed,
);
export type FunctionParams = Static<typeof FunctionParams>;

export const VersionParams = Type.Object(
  { tenant: TenantId, namespace: ResourceName, name: ResourceName, version: Version },
  closed,
);
export type VersionParams = Static<typeof VersionParams>;

export const AliasParams = Type.Object(
  { tenant: TenantId, namespace: ResourceName, name: ResourceName, alias: Alias },
  closed,
);
export type AliasParams = Static<typeof AliasParams>;

export const ActivationParams = Type.Object({ tenant: TenantId, activation_id: Uuid }, closed);
export type ActivationParams = Static<typeof ActivationParams>;

export const SecretParams = Type.Object(
  { tenant: TenantId, namespace: ResourceName, name: SecretName },
  closed,
);
export type SecretParams = Static<typeof SecretParams>;
