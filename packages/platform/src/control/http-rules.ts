import { type Capabilities, coversPath, type HttpAllow } from "@sous/contract";

/** The ports of a rule that lists none. */
const PORTS: readonly number[] = [80, 443];

/** @returns both lists of a capability as rules; a host of `allow_hosts` is one without restrictions */
export const rulesOf = (
  allowHosts: readonly string[],
  allow: readonly HttpAllow[] = [],
): readonly HttpAllow[] => [...allow, ...allowHosts.map((host) => ({ host }))];

/** @returns every rule of a version's capability */
export const httpRulesOf = ({ allow_hosts, allow }: Capabilities["http"]): readonly HttpAllow[] =>
  rulesOf(allow_hosts, allow);

/**
 * Whether everything one rule allows is allowed by another, in all four parts. Two rules that only together cover
 * a third do not: whoever narrows splits along the rules there are.
 */
export function coversRule(wanted: HttpAllow, granted: HttpAllow): boolean {
  if (!coversHost(wanted.host, granted.host)) return false;
  if (granted.methods !== undefined && !isSubset(wanted.methods, granted.methods)) return false;
  const { paths } = granted;
  if (paths !== undefined) {
    const everyPath = wanted.paths?.every((path) => paths.some((pattern) => coversPath(pattern, path)));
    if (everyPath !== true) return false;
  }
  // Ports that are left out are the two usual ones, not all.
  if (wanted.ports === undefined && granted.ports === undefined) return true;
  return isSubset(wanted.ports ?? PORTS, granted.ports ?? PORTS);
}

/** `*.example.com` covers sub-domains and patterns of them, not `example.com` itself. */
export function coversHost(wanted: string, granted: string): boolean {
  const [host, pattern] = [plainHost(wanted), plainHost(granted)];
  if (host === pattern) return true;
  return pattern.startsWith("*.") && host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1;
}

const plainHost = (host: string): string => host.toLowerCase().replace(/\.$/, "");

const isSubset = <T>(some: readonly T[] | undefined, all: readonly T[]): boolean =>
  some !== undefined && some.every((item) => all.includes(item));
