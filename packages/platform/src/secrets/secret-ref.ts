/** Where a secret lives. */
export interface SecretPlace {
  tenant: string;
  namespace: string;
  name: string;
}

const REF = /^kv:(t_[a-z0-9]{6,32})\/([a-z][a-z0-9_-]{2,63})\/([A-Za-z0-9][A-Za-z0-9_.-]{0,127})$/;

/** Reads `kv:tenant/namespace/name`. @returns `undefined` for anything else */
export function parseSecretRef(text: string): SecretPlace | undefined {
  const [, tenant, namespace, name] = REF.exec(text) ?? [];
  if (tenant === undefined || namespace === undefined || name === undefined) return undefined;
  return { tenant, namespace, name };
}

/** @returns the long form of a place, as versions keep it */
export const secretRefOf = ({ tenant, namespace, name }: SecretPlace): string =>
  `kv:${tenant}/${namespace}/${name}`;
