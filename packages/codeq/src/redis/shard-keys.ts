/** Names of the keys of a shard, in the order in which the scripts take them (`lua/prelude.lua`). */
export const SHARD_KEYS = [
  "meta",
  "body",
  "ready",
  "lanes",
  "turns",
  "tenants",
  "idle",
  "due",
  "leases",
  "dead",
  "reasons",
  "drops",
  "state",
  "weights",
  "arrivals",
  "graves",
  "tallies",
] as const;

/** @returns the keys of one shard of a topic; the tag in braces keeps them in one slot of a cluster */
export const keysOfShard = (prefix: string, topic: string, shard: number): string[] =>
  SHARD_KEYS.map((name) => `${prefix}{${topic}#${shard}}:${name}`);

/** @returns where consumers of a shard hear that there is something for them */
export const channelOfShard = (prefix: string, topic: string, shard: number): string =>
  `${prefix}wake:${topic}#${shard}`;

/** @returns the mark of a living gateway and the list of its results, in one slot */
export const keysOfReplies = (prefix: string, name: string): [mark: string, results: string] => [
  `${prefix}{reply:${name}}:open`,
  `${prefix}{reply:${name}}:results`,
];

/** @returns the shard a tenant's messages lie in; all processes of a cluster agree on it (FNV-1a) */
export function shardOfTenant(tenant: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < tenant.length; at++) hash = Math.imul(hash ^ tenant.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % shards;
}
