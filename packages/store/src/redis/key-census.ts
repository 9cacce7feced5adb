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
  let cursor = "0";
  do {
    const [next, keys] = await reader.send<[string, string[]]>(
      "SCAN",
      cursor,
      "MATCH",
      `${prefix}*`,
      "COUNT",
      KEYS_AT_ONCE,
    );
    for (const key of keys) note(key);
    cursor = next;
  } while (cursor !== "0");
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
