import {
  type ErrorCode,
  PlatformError,
  type RefTarget,
  isResourceName,
  isTenantId,
  parseRefTarget,
} from "@sous/contract";

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
  | {
      kind: "short";
      verb: "invoke" | "enqueue";
      name: string;
      ref: string;
      target: RefTarget | undefined;
      /** What records say of where a call came from. */
      source: { path: string };
    }
  | { kind: "bad"; error: PlatformError };

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
  if (!isTenantId(tenant)) return badName("tenant", tenant);
  if (!isResourceName(namespace)) return badName("namespace", namespace);
  if (!isResourceName(name)) return badName("function", name);
  const target = parseRefTarget(ref);
  if (target === undefined) return badRef(ref);
  return { kind: "web", tenant, namespace, name, ref, target, rawPath: path, query };
}

/** Routes of short forms by their path: those of a busy function are read once. */
const shortRoutes = new Map<string, Route>();
const SHORT_ROUTES_MAX = 1000;

function shortRoute(path: string): Route | undefined {
  const known = shortRoutes.get(path);
  if (known !== undefined) return known;
  const route = readShortRoute(path);
  if (route === undefined || route.kind === "bad") return route;
  if (shortRoutes.size >= SHORT_ROUTES_MAX) shortRoutes.clear();
  shortRoutes.set(path, route);
  return route;
}

function readShortRoute(path: string): Route | undefined {
  const colon = path.lastIndexOf(":");
  const verb = path.slice(colon + 1);
  if (colon < 0 || (verb !== "invoke" && verb !== "enqueue")) return undefined;
  const written = path.slice(SHORT.length, colon);
  const at = written.indexOf("@");
  const name = at < 0 ? written : written.slice(0, at);
  if (!isResourceName(name)) return badName("function", name);
  const source = { path };
  if (at < 0) return { kind: "short", verb, name, ref: "latest", target: undefined, source };
  const ref = written.slice(at + 1);
  const target = parseRefTarget(ref);
  if (target === undefined) return badRef(ref);
  return { kind: "short", verb, name, ref, target, source };
}

function fullRoute(path: string): Route | undefined {
  const match = FULL_INVOKE.exec(path);
  if (match === null) return undefined;
  const [, tenant = "", namespace = "", name = ""] = match;
  if (!isTenantId(tenant)) return badName("tenant", tenant);
  if (!isResourceName(namespace)) return badName("namespace", namespace);
  if (!isResourceName(name)) return badName("function", name);
  return { kind: "invoke", tenant, namespace, name };
}

const badName = (what: string, value: string): Route => bad("CS_VALIDATION_NAME_INVALID", what, value);

const badRef = (value: string): Route =>
  bad("CS_VALIDATION_FAILED", "reference (an alias or a version number)", value);

function bad(code: ErrorCode, what: string, value: string): Route {
  const message = `the path's ${what} is not valid: ${JSON.stringify(value.slice(0, 80))}`;
  return { kind: "bad", error: new PlatformError(code, message) };
}
