import {
  describeDestination,
  type HttpAllow,
  type Isolation,
  type Power,
  type PowersDiff,
  type SecretGrant,
  type VersionConfig,
} from "@sous/contract";
import { coversHost, coversRule, httpRulesOf } from "./http-rules.ts";
import { coversTopic } from "./narrow-capabilities.ts";

/** A version as far as its powers are concerned. */
export interface PowersOf {
  version: number;
  config: VersionConfig;
}

/** From the one that keeps most apart to the one that shares most. */
const ISOLATIONS: readonly Isolation[] = ["fresh", "context", "warm", "shared"];
const LIMITS = ["timeout_ms", "memory_mb", "max_concurrency"] as const;

/**
 * Tells what a version may do that none of the ones before it may, and what all of them may together and it may not.
 * A power that an older one covers is not new: a longer prefix, a part of a wildcard, a lower limit.
 * @param before the versions it is compared with, the most important one first; none: everything is new but limits
 */
export function comparePowers(config: VersionConfig, before: readonly PowersOf[]): PowersDiff {
  const earlier = before.map((version) => version.config);
  return {
    against: before[0]?.version ?? null,
    added: [...gained([config], earlier), ...raised(config, earlier)],
    removed: gained(earlier, [config]),
  };
}

/** @returns what some configs grant together and others do not */
function gained(some: readonly VersionConfig[], others: readonly VersionConfig[]): Power[] {
  const found = new Map<string, Power>();
  const collect = <T>(
    kind: Power["kind"],
    itemsOf: (config: VersionConfig) => readonly T[],
    covers: (wanted: T, granted: T) => boolean,
    print: (item: T) => string,
  ): void => {
    const granted = others.flatMap(itemsOf);
    for (const item of some.flatMap(itemsOf)) {
      if (granted.some((other) => covers(item, other))) continue;
      const what = print(item);
      found.set(`${kind} ${what}`, { kind, what });
    }
  };
  collect("kv", keysOf, coversKey, ({ op, prefix }) => `${op} ${prefix}*`);
  collect("topic", ({ capabilities }) => capabilities.codeq.publish_topics, coversTopic, String);
  collect("http", ({ capabilities }) => httpRulesOf(capabilities.http), coversRule, printRule);
  collect("secret", ({ secrets }) => secrets, coversSecret, printSecret);
  collect("destination", destinationsIn, (wanted, granted) => wanted === granted, String);
  return [...found.values()];
}

function destinationsIn({ on_success, on_failure }: VersionConfig): string[] {
  const found: string[] = [];
  if (on_success !== undefined) found.push(`on_success ${describeDestination(on_success)}`);
  if (on_failure !== undefined) found.push(`on_failure ${describeDestination(on_failure)}`);
  return found;
}

interface KeyPower {
  op: string;
  prefix: string;
}

const keysOf = ({ capabilities: { kv } }: VersionConfig): KeyPower[] =>
  kv.ops.flatMap((op) => kv.prefixes.map((prefix) => ({ op, prefix })));

const coversKey = (wanted: KeyPower, granted: KeyPower): boolean =>
  wanted.op === granted.op && wanted.prefix.startsWith(granted.prefix);

function printRule({ host, methods, paths, ports }: HttpAllow): string {
  const where = ports === undefined ? host : `${host}:${ports.join(",")}`;
  return `${methods?.join(",") ?? "any method"} ${where} ${paths?.join(" ") ?? "/*"}`;
}

/** Whoever has a value can do everything that one bound to a host can. */
function coversSecret(wanted: SecretGrant, granted: SecretGrant): boolean {
  if (typeof granted === "string") return granted === (typeof wanted === "string" ? wanted : wanted.name);
  if (typeof wanted === "string" || wanted.name !== granted.name) return false;
  if (!coversHost(wanted.host, granted.host)) return false;
  return granted.header === undefined || granted.header.toLowerCase() === wanted.header?.toLowerCase();
}

function printSecret(grant: SecretGrant): string {
  if (typeof grant === "string") return `${grant} (its value)`;
  return `${grant.name} to ${grant.host}${grant.header === undefined ? "" : ` in ${grant.header}`}`;
}

/** @returns limits and isolation that go beyond every earlier version's */
function raised(config: VersionConfig, earlier: readonly VersionConfig[]): Power[] {
  if (earlier.length === 0) return [];
  const powers: Power[] = [];
  const grow = (name: string, of: (config: VersionConfig) => number): void => {
    const most = Math.max(...earlier.map(of));
    if (of(config) > most) powers.push({ kind: "limit", what: `${name} ${of(config)} (was ${most})` });
  };
  for (const name of LIMITS) grow(name, (version) => version[name]);
  // The time of calls out means nothing to a version that makes none.
  if (httpRulesOf(config.capabilities.http).length > 0) {
    grow("http.timeout_ms", ({ capabilities }) => capabilities.http.timeout_ms);
  }
  const rank = ({ isolation }: VersionConfig): number => ISOLATIONS.indexOf(isolation);
  const loosest = earlier.reduce((most, other) => (rank(other) > rank(most) ? other : most));
  if (rank(config) > rank(loosest)) {
    powers.push({ kind: "isolation", what: `${config.isolation} (was ${loosest.isolation})` });
  }
  return powers;
}
