import type { Invocation, Principal, VersionRecord } from "@sous/contract";

const tails = new WeakMap<VersionRecord, Map<string, string>>();
const principals = new WeakMap<Principal, string>();

/**
 * Builds the handler's second argument as JSON text. What is the same for every call of a version by an
 * alias, and what is the same for every call of a principal, is printed once.
 */
export function contextJson(invocation: Invocation, version: VersionRecord): string {
  let text = `{"activation_id":"${invocation.activation_id}","deadline_ms":${invocation.deadline_ms}`;
  text += `,"attempt":${invocation.attempt},"trigger":{"type":"${invocation.trigger.type}"}`;
  if (invocation.traceparent !== undefined)
    text += `,"traceparent":${JSON.stringify(invocation.traceparent)}`;
  return `${text},"principal":${principalJson(invocation.principal)}${tailOf(invocation, version)}`;
}

function principalJson(principal: Principal): string {
  let json = principals.get(principal);
  if (json === undefined) {
    json = JSON.stringify({ sub: principal.sub, roles: principal.roles });
    principals.set(principal, json);
  }
  return json;
}

function tailOf(invocation: Invocation, version: VersionRecord): string {
  let byAlias = tails.get(version);
  if (byAlias === undefined) tails.set(version, (byAlias = new Map()));
  const alias = invocation.ref.alias ?? "";
  let tail = byAlias.get(alias);
  if (tail === undefined) {
    const { tenant, namespace, ref } = invocation;
    const fields = {
      tenant,
      namespace,
      function: ref.function,
      version: version.version,
      ref: { alias: alias === "" ? null : alias },
      env: version.config.env,
    };
    tail = `,${JSON.stringify(fields).slice(1)}`;
    byAlias.set(alias, tail);
  }
  return tail;
}
