import { type RefTarget, isResourceName, isTenantId, parseRefTarget } from "@sous/contract";

/** What a path of the gateway means. `bad` is a path of ours with a name that cannot be. */
export type Route =
  | {
      kind: "web";
      tenant: string;
      namespace: string;
      name: string;
      ref: string;
      target: RefTarget;
      rawPath: string;
      query: string;
    }
  | { kind: "invoke"; tenant: string; namespace: string; name: string }
  | { kind: "short"; verb: "invoke" | "enqueue"; name: string; ref: string; target: RefTarget | undefined }
  | { kind: "bad"; message: string };

const WEB = "/v1/web/";
const SHORT = "/v1/functions/";
const TENANTS = "/v1/tenants/";
const FULL_INVOKE = /^\/v1\/tenants\/([^/]+)\/namespaces\/([^/]+)\/functions\/([^/:]+):invoke$/;

/**
 * Reads the route of a request target without decoding it: what a function sees as its path is what was sent.
 * @param url the request target as received
 * @returns `undefined` when the path is not one of the gateway's
 */
export function parseRoute(url: string): Route | undefined {
  const question = url.indexOf("?");
  const path = question < 0 ? url : url.slice(0, question);
  if (path.startsWith(WEB)) return webRoute(path, question < 0 ? "" : url.slice(question + 1));
  if (path.startsWith(SHORT)) return shortRoute(path);
  if (path.startsWith(TENANTS) && path.endsWith(":invoke")) return fullRoute(path);
  return undefined;
}

function webRoute(path: string, query: string): Route {
  const parts = path.slice(WEB.length).split("/", 4);
  const [tenant = "", namespace = "", name = "", ref = ""] = parts;
  if (!isTenantId(tenant)) return bad("the path's tenant", tenant);
  if (!isResourceName(namespace)) return bad("the path's namespace", namespace);
  if (!isResourceName(name)) return bad("the path's function", name);
  const target = parseRefTarget(ref);
  if (target === undefined) return bad("the path's reference (an alias or a version number)", ref);
  return { kind: "web", tenant, namespace, name, ref, target, rawPath: path, query };
}

function shortRoute(path: string): Route | undefined {
  const colon = path.lastIndexOf(":");
  const verb = path.slice(colon + 1);
  if (colon < 0 || (verb !== "invoke" && verb !== "enqueue")) return undefined;
  const written = path.slice(SHORT.length, colon);
  const at = written.indexOf("@");
  const name = at < 0 ? written : written.slice(0, at);
  if (!isResourceName(name)) return bad("the path's function", name);
  if (at < 0) return { kind: "short", verb, name, ref: "latest", target: undefined };
  const ref = written.slice(at + 1);
  const target = parseRefTarget(ref);
  if (target === undefined) return bad("the path's reference (an alias or a version number)", ref);
  return { kind: "short", verb, name, ref, target };
}

function fullRoute(path: string): Route | undefined {
  const match = FULL_INVOKE.exec(path);
  if (match === null) return undefined;
  const [, tenant = "", namespace = "", name = ""] = match;
  if (!isTenantId(tenant)) return bad("the path's tenant", tenant);
  if (!isResourceName(namespace)) return bad("the path's namespace", namespace);
  if (!isResourceName(name)) return bad("the path's function", name);
  return { kind: "invoke", tenant, namespace, name };
}

function bad(what: string, value: string): Route {
  return { kind: "bad", message: `${what} is not valid: ${JSON.stringify(value.slice(0, 80))}` };
}
