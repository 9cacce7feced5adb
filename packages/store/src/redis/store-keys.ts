import type { FunctionKey, KvScope } from "../store.ts";

/** Between the parts of a member of a sorted set; no name holds it. */
export const SEPARATOR = "\u001f";

/** @returns a number as text of one length, so that texts sort as the numbers do */
export const padded = (value: number): string =>
  String(Math.floor(Math.min(Math.max(value, 0), Number.MAX_SAFE_INTEGER))).padStart(16, "0");

/**
 * Names of all keys of the store. Those the contract names are as it names them; all begin with the prefix, so that
 * a hash tag in it puts all of them into one slot of a cluster.
 */
export function createStoreKeys(prefix: string) {
  const ofFunction = ({ tenant, namespace, name }: FunctionKey): string =>
    `${prefix}fn:${tenant}:${namespace}:${name}:`;
  const ofSchedule = ({ tenant, namespace, name }: FunctionKey): string =>
    `${prefix}schedule:${tenant}:${namespace}:${name}:`;
  const ofNamespace = (what: string, { tenant, namespace }: KvScope): string =>
    `${prefix}${what}:${tenant}:${namespace}:`;
  return {
    meta: (key: FunctionKey) => `${ofFunction(key)}meta`,
    /** When it was deleted; not there while it is active. */
    deleted: (key: FunctionKey) => `${ofFunction(key)}deleted`,
    versionSequence: (key: FunctionKey) => `${ofFunction(key)}version_seq`,
    draft: (key: FunctionKey, id: string) => `${ofFunction(key)}draft:${id}`,
    version: (key: FunctionKey, version: number) => `${ofFunction(key)}ver:${version}:meta`,
    alias: (key: FunctionKey, alias: string) => `${ofFunction(key)}alias:${alias}`,
    aliases: (key: FunctionKey) => `${ofFunction(key)}aliases`,
    /** Names of all functions of a namespace, and of the active ones. */
    functions: (scope: KvScope) => `${ofNamespace("fn", scope)}index`,
    activeFunctions: (scope: KvScope) => `${ofNamespace("fn", scope)}active`,

    drafts: `${prefix}drafts`,
    bundle: (sha256: string) => `${prefix}bundle:${sha256}:bytes`,
    /** Drafts that name a bundle; what no draft and no version names goes. */
    bundleDrafts: (sha256: string) => `${prefix}bundle:${sha256}:drafts`,
    bundlePublished: (sha256: string) => `${prefix}bundle:${sha256}:published`,

    activation: (tenant: string, id: string) => `${prefix}act:${tenant}:${id}:meta`,
    /** Status, attempt and place in the indexes: what an update is compared with. */
    activationStatus: (tenant: string, id: string) => `${prefix}act:${tenant}:${id}:status`,
    activationsOfTenant: (tenant: string) => `${prefix}act:${tenant}:index`,
    activationsOfFunction: (key: FunctionKey) => `${ofFunction(key)}activations`,
    openActivations: `${prefix}act:open`,
    endedActivations: `${prefix}act:ended`,
    activationSequence: `${prefix}act:seq`,

    groupSequence: `${prefix}ends:seq`,
    groupDocuments: `${prefix}ends:docs`,
    groupParts: `${prefix}ends:parts`,
    groups: `${prefix}ends:groups`,
    groupsOfTenant: (tenant: string) => `${prefix}ends:${tenant}:index`,
    groupsOfFunction: (key: FunctionKey) => `${ofFunction(key)}ends`,

    log: (tenant: string, id: string) => `${prefix}log:${tenant}:${id}:chunks`,
    logs: `${prefix}log:index`,

    kvValues: (scope: KvScope) => `${ofNamespace("kv", scope)}values`,
    kvKeys: (scope: KvScope) => `${ofNamespace("kv", scope)}keys`,
    kvEnds: (scope: KvScope) => `${ofNamespace("kv", scope)}ends`,
    kvBytes: (scope: KvScope) => `${ofNamespace("kv", scope)}bytes`,
    kvExpiring: `${prefix}kv:expiring`,

    secrets: (scope: KvScope) => `${ofNamespace("secret", scope)}meta`,
    sealedSecrets: (scope: KvScope) => `${ofNamespace("secret", scope)}sealed`,
    secretNames: (scope: KvScope) => `${ofNamespace("secret", scope)}index`,

    schedule: (key: FunctionKey) => `${ofSchedule(key)}meta`,
    scheduleState: (key: FunctionKey) => `${ofSchedule(key)}state`,
    scheduleInflight: (key: FunctionKey) => `${ofSchedule(key)}inflight`,
    schedules: (scope: KvScope) => `${ofNamespace("schedule", scope)}index`,
    /** Those of all tenants that run. */
    schedulesDue: `${prefix}schedule:due`,
    lease: (name: string) => `${prefix}lease:${name}`,

    resources: (kind: string) => `${prefix}resource:${kind}:docs`,
    /** Tenant, namespace and name of each. */
    resourcePlaces: (kind: string) => `${prefix}resource:${kind}:index`,

    auditEvents: (tenant: string) => `${prefix}audit:${tenant}:events`,
    auditEnds: (tenant: string) => `${prefix}audit:${tenant}:ends`,
    /** Moment and id of each of a tenant, and moment, tenant and id of all. */
    auditOfTenant: (tenant: string) => `${prefix}audit:${tenant}:index`,
    auditOfAll: `${prefix}audit:index`,

    token: (id: string) => `${prefix}token:${id}`,
    tokensOfTenant: (tenant: string) => `${prefix}tokens:${tenant}:index`,

    journalSequence: `${prefix}journal:seq`,
    journalOrder: `${prefix}journal:order`,
    journalEntries: `${prefix}journal:entries`,
    journalBodies: `${prefix}journal:bodies`,

    probe: `${prefix}probe`,
  };
}

export type StoreKeys = ReturnType<typeof createStoreKeys>;
