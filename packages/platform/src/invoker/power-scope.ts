import { budgetsOf, type Invocation, type VersionRecord } from "@sous/contract";
import type { PowerScope, SecretScope } from "../powers/host-powers.ts";

/** @returns a version with the secrets it may use */
export const secretScope = (
  { tenant, namespace, ref }: Invocation,
  { version, config }: VersionRecord,
): SecretScope => ({ tenant, namespace, function: ref.function, version, secrets: config.secrets });

/** @returns on whose behalf the host calls of an activation are made, with nothing used yet */
export function powerScope(invocation: Invocation, version: VersionRecord): PowerScope {
  return {
    ...secretScope(invocation, version),
    activationId: invocation.activation_id,
    trigger: invocation.trigger.type,
    capabilities: version.config.capabilities,
    budgets: budgetsOf(version.config),
    deadlineMs: invocation.deadline_ms,
    depth: invocation.depth ?? 0,
    egressBytes: 0,
    openFetches: 0,
    openFetchesPeak: 0,
  };
}
