import type { KvScope } from "../store.ts";
import type { Reader } from "./reader.ts";

/** Names that only keys tell: everything else is found from them. */
export interface KeyCensus {
  functions: KvScope[];
  kv: KvScope[];
  secrets: KvScope[];
  schedules: KvScope[];
  tokens: string[];
  bundles: string[];
  resourceKinds: string[];
}

const KEYS_AT_ONCE = 1000;

/** Looks through all keys of a store once. @param prefix of its keys, which holds no character of a pattern */
export async function takeCensus(reader: Reader, prefix: string): Promise<KeyCensus> {
  const found = {
    functions: new Map<string, KvScope>(),
    kv: new Map<string, KvScope>(),
    secrets: new Map<string, KvScope>(),
    schedules: new Map<string, KvScope>(),
    tokens: new Set<string>(),
    bundles: new Set<string>(),
    resourceKinds: new Set<string>(),
  };
  const note = (key: string): void => {
    const [what, ...rest] = key.slice(prefix.length).split(":");
    const [first = "", second = "", last] = rest;
    const scope = { tenant: first, namespace: second };
    const name = `${first}:${second}`;
    if (what === "fn" && last === "index" && rest.length === 3) found.functions.set(name, scope);
    else if (what === "kv" && last === "values") found.kv.set(name, scope);
    else if (what === "secret" && last === "meta") found.secrets.set(name, scope);
    else if (what === "schedule" && last === "index" && rest.length === 3) found.schedules.set(name, scope);
    else if (what === "token" && rest.length === 1) found.tokens.add(first);
    else if (what === "bundle" && second === "bytes") found.bundles.add(first);
    else if (what === "resource" && second === "docs") found.resourceKinds.add(first);
  };
  for await (const key of scanKeys(reader, `${prefix}*`)) note(key);
  return {
    functions: [...found.functions.values()],
    kv: [...found.kv.values()],
    secrets: [...found.secrets.values()],
    schedules: [...found.schedules.values()],
    tokens: [...found.tokens],
    bundles: [...found.bundles],
    resourceKinds: [...found.resourceKinds],
  };
}

/** Walks over all keys of a pattern; one may come twice. */
export async function* scanKeys(reader: Reader, pattern: string): AsyncIterable<string> {
  let cursor = "0";
  do {
    const range = [cursor, "MATCH", pattern, "COUNT", KEYS_AT_ONCE];
    const [next, keys] = await reader.send<[string, string[]]>("SCAN", range);
    yield* keys;
    cursor = next;
  } while (cursor !== "0");
}
