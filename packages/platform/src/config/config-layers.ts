import { createRequire } from "node:module";
import { PlatformError } from "@sous/contract";
import type { parse } from "yaml";
import { CONFIG_KEYS } from "./config-schema.ts";
import { nearestName } from "./nearest-name.ts";

/** A value with where it comes from: `default`, `file cs.yaml`, `env SOUS_PORT` or `flag`. */
export interface Setting {
  value: unknown;
  source: string;
}

/** Settings of one source by dotted key. */
export type Layer = Map<string, Setting>;

/** Variables with our prefix that are not settings of the platform: the client's, the tests', the key itself. */
const OTHER_VARIABLES = new Set([
  "SOUS_API_URL",
  "SOUS_CONFIG",
  "SOUS_GATEWAY_URL",
  "SOUS_NAMESPACE",
  "SOUS_SECRETS_KEY",
  "SOUS_TENANT",
  "SOUS_TOKEN",
]);
const OTHER_PREFIXES = ["SOUS_TEST_", "SOUS_BENCH_"];

/** Loaded where there is a file to read: most starts have none. */
const require = createRequire(import.meta.url);

/**
 * Reads the text of `cs.yaml`.
 * @throws CS_VALIDATION_FAILED for what is no YAML or has an unknown key
 */
export function readFileLayer(text: string, path: string): Layer {
  const yaml = require("yaml") as { parse: typeof parse };
  let root: unknown;
  try {
    root = yaml.parse(text, { maxAliasCount: 20 });
  } catch (cause) {
    throw new PlatformError("CS_VALIDATION_FAILED", `${path} is not YAML; mend it`, { cause });
  }
  const layer: Layer = new Map();
  if (root !== null && root !== undefined) flatten(root, "", path, layer);
  return layer;
}

function flatten(value: unknown, prefix: string, path: string, layer: Layer): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new PlatformError(
      "CS_VALIDATION_FAILED",
      `${path}: ${prefix.slice(0, -1) || "the file"} must be a mapping`,
    );
  }
  for (const [name, item] of Object.entries(value)) {
    const key = prefix + name;
    if (CONFIG_KEYS.has(key)) layer.set(key, { value: item, source: `file ${path}` });
    else if (isSection(key)) {
      if (item !== null) flatten(item, `${key}.`, path, layer);
    } else throw unknownKey(`${path}: `, key, CONFIG_KEYS.keys());
  }
}

const isSection = (key: string): boolean =>
  [...CONFIG_KEYS.keys()].some((known) => known.startsWith(`${key}.`));

/**
 * Reads `SOUS_*`; the origin's `CS_*` names count where no `SOUS_*` does, and unknown `CS_*` are not ours.
 * @throws CS_VALIDATION_FAILED for an unknown `SOUS_*`
 */
export function readEnvironmentLayer(env: Readonly<Record<string, string | undefined>>): Layer {
  const keyByName = new Map(
    [...CONFIG_KEYS.keys()].map((key) => [key.replaceAll(".", "_").toUpperCase(), key]),
  );
  const layer: Layer = new Map([...clusterLayer(env), ...originLayer(env)]);
  for (const prefix of ["CS_", "SOUS_"]) {
    for (const [variable, text] of Object.entries(env)) {
      if (!variable.startsWith(prefix) || text === undefined || text === "") continue;
      const key = keyByName.get(variable.slice(prefix.length));
      if (key !== undefined) {
        layer.set(key, { value: fromText(CONFIG_KEYS.get(key), text), source: `env ${variable}` });
      } else if (prefix === "SOUS_" && !isOther(variable)) {
        throw unknownKey(
          "environment: ",
          variable,
          [...keyByName.keys()].map((name) => `SOUS_${name}`),
        );
      }
    }
  }
  return layer;
}

const isOther = (variable: string): boolean =>
  OTHER_VARIABLES.has(variable) || OTHER_PREFIXES.some((prefix) => variable.startsWith(prefix));

/** Where the API server of the cluster is that this runs in, as the kubelet tells every pod. */
function clusterLayer(env: Readonly<Record<string, string | undefined>>): Layer {
  const [host, port] = [env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"]];
  if (!host || !port) return new Map();
  const value = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return new Map([["kubernetes.api", { value, source: "env KUBERNETES_SERVICE_HOST" }]]);
}

/** Names of the origin (CS_KVROCKS_ADDR, …) that say the same in another form. */
function originLayer(env: Readonly<Record<string, string | undefined>>): Layer {
  const layer: Layer = new Map();
  const address = env["CS_KVROCKS_ADDR"];
  if (address) {
    const password = env["CS_KVROCKS_PASSWORD"];
    const login = password ? `:${encodeURIComponent(password)}@` : "";
    layer.set("store", { value: `redis://${login}${address}`, source: "env CS_KVROCKS_ADDR" });
  }
  const introspection = env["CS_TIKTI_INTROSPECTION_URL"];
  if (introspection) {
    layer.set("auth", { value: `tikti+${introspection}`, source: "env CS_TIKTI_INTROSPECTION_URL" });
  }
  const apiKey = env["CS_TIKTI_API_KEY"];
  if (apiKey) layer.set("auth_key", { value: apiKey, source: "env CS_TIKTI_API_KEY" });
  const ttl = env["CS_TIKTI_CACHE_TTL_SECONDS"];
  if (ttl) {
    layer.set("auth_cache_seconds", {
      value: fromText("integer", ttl),
      source: "env CS_TIKTI_CACHE_TTL_SECONDS",
    });
  }
  return layer;
}

/**
 * Reads flags by dotted key; what is `undefined` was not given.
 * @throws CS_VALIDATION_FAILED for an unknown key
 */
export function readFlagLayer(flags: Readonly<Record<string, unknown>>): Layer {
  const layer: Layer = new Map();
  for (const [key, value] of Object.entries(flags)) {
    if (value === undefined || key === "config") continue;
    const type = CONFIG_KEYS.get(key);
    if (type === undefined) throw unknownKey("flag ", key, CONFIG_KEYS.keys());
    layer.set(key, { value: typeof value === "string" ? fromText(type, value) : value, source: "flag" });
  }
  return layer;
}

/** Texts become what the key's type asks for; what cannot stays text, and the schema refuses it by name. */
function fromText(type: string | undefined, text: string): unknown {
  switch (type) {
    case "integer":
    case "number":
      return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
    case "boolean":
      if (/^(1|true|yes|on)$/i.test(text)) return true;
      return /^(0|false|no|off)$/i.test(text) ? false : text;
    case "array":
      return text
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "");
    default:
      return text;
  }
}

function unknownKey(where: string, key: string, candidates: Iterable<string>): PlatformError {
  const near = nearestName(key, candidates);
  const hint = near === undefined ? "; `cs config print` lists all" : `; did you mean ${near}?`;
  return new PlatformError("CS_VALIDATION_FAILED", `${where}${key} is not a setting${hint}`, {
    details: { key },
  });
}
