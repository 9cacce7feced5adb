import { LATEST_ALIAS, type RefTarget, type VersionRecord } from "@sous/contract";
import type { FunctionKey } from "@sous/store";

/** What is known of one reference. */
export interface Target {
  /** `undefined` until the first look-up has answered. */
  version: VersionRecord | undefined;
  /** Other versions that take a share of the calls, with the upper end of each share. */
  split: readonly { readonly upTo: number; readonly version: VersionRecord }[] | undefined;
  loadedAtMs: number;
  /** Until then the store is taken to be down. */
  downUntilMs: number;
  /** The last look-up failed, or has not answered in time. */
  isDown: boolean;
  refreshing: Promise<VersionRecord> | undefined;
  /** Used since eviction last came by. */
  used: boolean;
  /** Where it is kept, to find the way back. */
  readonly home: FunctionTargets;
  readonly name: string | number;
}

/** The references of one function: `latest`, by alias, by version. */
interface FunctionTargets {
  readonly key: FunctionKey;
  readonly targets: Map<string | number, Target>;
}

export interface TargetTable {
  /** @returns the entry of a reference, an empty one where there was none */
  find(key: FunctionKey, target: RefTarget | undefined): Target;
  /** Takes one entry out, unless another has its place by now. */
  remove(target: Target): void;
  /** Takes a function out with all its references. */
  forget(key: FunctionKey): void;
}

/**
 * References by tenant, namespace, function and target: four look-ups in maps, no string is built. When it is
 * full, the oldest entry that was not used since the last time goes (a clock, the cheap cousin of LRU: a hit
 * sets a flag instead of moving an entry).
 */
export function createTargetTable(entriesMax: number): TargetTable {
  const tenants = new Map<string, Map<string, Map<string, FunctionTargets>>>();
  const entries = new Set<Target>();

  const remove = (target: Target): void => {
    entries.delete(target);
    const { home, name } = target;
    if (home.targets.get(name) === target) home.targets.delete(name);
    if (home.targets.size === 0) prune(home);
  };

  const prune = (home: FunctionTargets): void => {
    const { tenant, namespace, name } = home.key;
    const namespaces = tenants.get(tenant);
    const functions = namespaces?.get(namespace);
    if (functions?.get(name) !== home) return;
    functions.delete(name);
    if (functions.size === 0) namespaces?.delete(namespace);
    if (namespaces?.size === 0) tenants.delete(tenant);
  };

  const makeRoom = (): void => {
    for (const oldest of entries) {
      if (entries.size < entriesMax) return;
      if (!oldest.used) {
        remove(oldest);
        return;
      }
      // A second chance at the end of the line.
      oldest.used = false;
      entries.delete(oldest);
      entries.add(oldest);
    }
  };

  const homeOf = (key: FunctionKey): FunctionTargets => {
    const { tenant, namespace, name } = key;
    const namespaces = getOrAdd(tenants, tenant, () => new Map<string, Map<string, FunctionTargets>>());
    const functions = getOrAdd(namespaces, namespace, () => new Map<string, FunctionTargets>());
    return getOrAdd(functions, name, () => ({ key: { tenant, namespace, name }, targets: new Map() }));
  };

  return {
    find(key, target) {
      const known = tenants.get(key.tenant)?.get(key.namespace)?.get(key.name)?.targets.get(nameOf(target));
      if (known !== undefined) {
        known.used = true;
        return known;
      }
      if (entries.size >= entriesMax) makeRoom();
      const home = homeOf(key);
      const entry: Target = {
        version: undefined,
        split: undefined,
        loadedAtMs: 0,
        downUntilMs: 0,
        isDown: false,
        refreshing: undefined,
        used: false,
        home,
        name: nameOf(target),
      };
      home.targets.set(entry.name, entry);
      entries.add(entry);
      return entry;
    },
    remove,
    forget(key) {
      const home = tenants.get(key.tenant)?.get(key.namespace)?.get(key.name);
      if (home === undefined) return;
      for (const target of home.targets.values()) entries.delete(target);
      home.targets.clear();
      prune(home);
    },
  };
}

/** Versions are numbers and aliases texts, so one map holds both. */
function nameOf(target: RefTarget | undefined): string | number {
  if (target === undefined) return LATEST_ALIAS;
  return "alias" in target ? target.alias : target.version;
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
