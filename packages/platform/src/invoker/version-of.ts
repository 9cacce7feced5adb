import type { Invocation, VersionRecord } from "@sous/contract";
import type { Catalog } from "../catalog/catalog.ts";

/** @returns the version an invocation is pinned to. @throws CS_NOT_FOUND, also as a rejection */
export function versionOf(
  catalog: Catalog,
  { tenant, namespace, ref }: Invocation,
): VersionRecord | Promise<VersionRecord> {
  const target = ref.version === undefined ? undefined : { version: ref.version };
  return catalog.resolve({ tenant, namespace, name: ref.function }, target);
}
