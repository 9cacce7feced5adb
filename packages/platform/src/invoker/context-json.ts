import type { Invocation, Principal, VersionRecord } from "@sous/contract";

/** By principal, then version, then alias: what is the same for every call with these. */
const shared = new WeakMap<Principal, WeakMap<VersionRecord, Map<string, string>>>();

/** Builds the part of the handler's second argument that belongs to one activation, as JSON text. */
export function contextJson(invocation: Invocation): string {
  let text = `{"activation_id":"${invocation.activation_id}","deadline_ms":${invocation.deadline_ms}`;
  text += `,"attempt":${invocation.attempt},"trigger":{"type":"${invocation.trigger.type}"}`;
  if (invocation.traceparent !== undefined)
    text += `,"traceparent":${JSON.stringify(invocation.traceparent)}`;
  return `${text}}`;
}

/** @returns the rest of it: one text for all calls of a version by an alias and a principal */
export function sharedContextJson(invocation: Invocation, version: VersionRecord): string {
  let byVersion = shared.get(invocation.principal);
  if (byVersion === undefined) shared.set(invocation.principal, (byVersion = new WeakMap()));
  let byAlias = byVersion.get(version);
  if (byAlias === undefined) byVersion.set(version, (byAlias = new Map()));
  const alias = invocation.ref.alias ?? "";
  let text = byAlias.get(alias);
  if (text === undefined) byAlias.set(alias, (text = print(invocation, version, alias)));
  return text;
}

function print(invocation: Invocation, version: VersionRecord, alias: string): string {
  const { principal, tenant, namespace, ref } = invocation;
  return JSON.stringify({
    principal: { sub: principal.sub, roles: principal.roles },
    tenant,
    namespace,
    function: ref.function,
    version: version.version,
    ref: { alias: alias === "" ? null : alias },
    env: version.config.env,
  });
}
