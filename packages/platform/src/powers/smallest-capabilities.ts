import { createParser, HttpAllow, type Manifest } from "@sous/contract";
import type { ObservedCall } from "./observed-calls.ts";

/** The capabilities of a manifest, in its own spelling. */
export type ManifestCapabilities = NonNullable<Manifest["capabilities"]>;

type HttpCall = Extract<ObservedCall, { kind: "http" }>;

const parser = createParser(HttpAllow, "the rule");
const LISTED_MAX = 64;
const PATHS_MAX = 16;
const PREFIX_CHARACTERS_MAX = 256;
const PATH_CHARACTERS_MAX = 256;
/** What separates the parts of a key, the last of which is usually an id. */
const SEPARATORS = /[:/.#|]/;

/** Works out the smallest capabilities that would have allowed some calls. */
export function smallestCapabilities(calls: readonly ObservedCall[]): ManifestCapabilities {
  const capabilities: ManifestCapabilities = {};
  const keys = calls.filter((call) => call.kind === "kv");
  if (keys.length > 0) {
    const ops = (["get", "set", "del"] as const).filter((op) => keys.some((call) => call.op === op));
    capabilities.kv = { prefixes: prefixesOf(keys.map(({ key }) => key)).slice(0, LISTED_MAX), ops };
  }
  const topics = new Set(calls.flatMap((call) => (call.kind === "topic" ? [call.topic] : [])));
  if (topics.size > 0) capabilities.codeq = { publishTopics: [...topics].sort().slice(0, LISTED_MAX) };
  const https = calls.filter((call) => call.kind === "http");
  // A host or a port that no manifest can list is left out.
  const allow = rulesOf(https).filter((rule) => parser.check(rule));
  if (allow.length > 0) capabilities.http = { allow: allow.slice(0, LISTED_MAX) };
  return capabilities;
}

/**
 * The longest beginnings that keys have in common, a prefix for each first part. Cut back to a separator, since what
 * follows is an id that will be another one the next time; a key without a separator stands for itself.
 */
function prefixesOf(keys: readonly string[]): string[] {
  const groups = new Map<string, string>();
  for (const key of keys) {
    const end = key.search(SEPARATORS);
    const group = end < 0 ? key : key.slice(0, end + 1);
    const before = groups.get(group);
    groups.set(group, before === undefined ? upToSeparator(key) : common(before, key));
  }
  return [...new Set([...groups.values()].map((prefix) => prefix.slice(0, PREFIX_CHARACTERS_MAX)))].sort();
}

const common = (prefix: string, key: string): string => {
  let length = 0;
  while (length < prefix.length && prefix[length] === key[length]) length += 1;
  return length === prefix.length ? prefix : upToSeparator(prefix.slice(0, length));
};

/** @returns the text up to and with its last separator, or all of it without one */
function upToSeparator(text: string): string {
  for (let end = text.length; end > 0; end -= 1) {
    if (SEPARATORS.test(text.charAt(end - 1))) return text.slice(0, end);
  }
  return text;
}

/** Paths of a host that are called by the same methods share a rule. */
function rulesOf(calls: readonly HttpCall[]): HttpAllow[] {
  const byHost = Map.groupBy(calls, ({ host }) => host);
  return [...byHost].flatMap(([host, all]) => {
    const other = new Set(all.flatMap(({ port, usualPort }) => (usualPort ? [] : [port])));
    const usual = new Set(all.flatMap(({ port, usualPort }) => (usualPort ? [port] : [])));
    const ports = other.size === 0 ? undefined : [...usual, ...other].sort((a, b) => a - b);
    const byPath = Map.groupBy(all, ({ path }) => path);
    const pathsByMethods = Map.groupBy(byPath, ([, same]) =>
      [...new Set(same.map(({ method }) => method))].sort().join(),
    );
    return [...pathsByMethods.values()].flatMap((group) => {
      const methods = [...new Set(group.flatMap(([, same]) => same.map(({ method }) => method)))].sort();
      const rule = { host, methods, ...(ports && { ports }) };
      const paths = group.map(([path]) => path).sort();
      // No pattern covers those; only a rule without paths does.
      if (paths.some((path) => path.length > PATH_CHARACTERS_MAX || /%(?:2e|2f|5c)/i.test(path)))
        return [rule];
      return chunks(paths, PATHS_MAX).map((some) => {
        const listed: HttpAllow = { host, methods, paths: some };
        if (ports !== undefined) listed.ports = ports;
        return listed;
      });
    });
  });
}

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
