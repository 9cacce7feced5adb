import { DEFAULT_NAMESPACE } from "@sous/contract";
import type { FastifyRequest } from "fastify";
import { routeLabel } from "./route-patterns.ts";

const NAME_CHARACTERS_MAX = 128;
const UNNAMED = "/*";

/**
 * Names what a request is about, by its path: `cs:{tenant}:{namespace}:function/{name}:alias/{alias}`. What the path
 * does not name is taken from the body's `name`, and is `*` where that has none either.
 */
export function auditResource(tenant: string, request: FastifyRequest): string {
  const params = request.params as Record<string, string>;
  const segments = routeLabel(request.routeOptions.url ?? "")
    .split("/")
    .slice(2);
  const parts: string[] = [];
  let namespace: string | undefined;
  for (let at = 0; at < segments.length; at++) {
    const kind = kindOf(segments[at] ?? "");
    const parameter = /^\{(\w+)\}/.exec(segments[at + 1] ?? "")?.[1];
    const name = parameter === undefined ? undefined : params[parameter];
    if (name !== undefined) at++;
    if (kind === "tenant") continue;
    if (kind === "namespace") namespace = name;
    else parts.push(`${kind}/${name ?? "*"}`);
  }
  if (namespace === undefined && parts[0]?.startsWith("function/") === true) namespace = DEFAULT_NAMESPACE;
  const scope = namespace === undefined ? `cs:${tenant}` : `cs:${tenant}:${namespace}`;
  const { name } = (request.body ?? {}) as { name?: unknown };
  return nameResource(`${scope}:${parts.join(":")}`, parts.length === 1 ? { name } : {});
}

/** @returns a resource with its last name filled in from what is known of it, where it has none yet */
export function nameResource(resource: string, data: Record<string, unknown>): string {
  if (!resource.endsWith(UNNAMED)) return resource;
  const kind = resource.slice(resource.lastIndexOf(":") + 1, -UNNAMED.length);
  const name = data[`${kind}_id`] ?? data[kind] ?? data["name"];
  if (typeof name !== "string" && typeof name !== "number") return resource;
  return `${resource.slice(0, -1)}${String(name).slice(0, NAME_CHARACTERS_MAX)}`;
}

/** `aliases` → `alias`, `functions` → `function`, `dlq:redrive` → `dlq` */
function kindOf(segment: string): string {
  const [word = ""] = segment.split(":");
  if (word.endsWith("ses")) return word.slice(0, -2);
  return word.endsWith("s") ? word.slice(0, -1) : word;
}
