import { type Capabilities, coversPath, type HttpAllow } from "@sous/contract";
import { createHostMatcher, type HostMatcher, withoutDot } from "./allow-host.ts";

/** What a version may call, as its capabilities say. */
export type HttpGrants = Pick<Capabilities["http"], "allow_hosts" | "allow">;

/** One hop of a call out, with the port spelt out. */
export interface HttpTarget {
  url: URL;
  method: string;
  port: number;
}

/** The judgement of a hop: allowed (and whether a rule lists the port by number), or what is not. */
export type HttpVerdict = { allowed: true; listedPort: boolean } | { allowed: false; problem: string };

export type HttpPermit = (target: HttpTarget) => HttpVerdict;

interface Rule {
  covers: HostMatcher;
  methods: readonly string[] | undefined;
  paths: readonly string[] | undefined;
  ports: readonly number[] | undefined;
}

type Part = "host" | "method" | "path" | "port";
const PARTS: readonly Part[] = ["host", "method", "path", "port"];

/** Servers differ in whether they take these for what they stand for: `/public/..%2fadmin`. */
const AMBIGUOUS = /%(?:2e|2f|5c)/i;

/**
 * Compiles what a version may call. A hop is allowed when one rule covers its host, method, path and port together;
 * a host of `allow_hosts` is a rule without further restriction.
 */
export function createHttpPermit({ allow_hosts, allow = [] }: HttpGrants): HttpPermit {
  const rules: Rule[] = allow.map(ruleOf);
  if (allow_hosts.length > 0) {
    rules.push({
      covers: createHostMatcher(allow_hosts),
      methods: undefined,
      paths: undefined,
      ports: undefined,
    });
  }
  return (target) => {
    let nearest: Part = "host";
    for (const rule of rules) {
      const missed = missing(rule, target);
      if (missed === undefined) return { allowed: true, listedPort: rule.ports !== undefined };
      if (PARTS.indexOf(missed) > PARTS.indexOf(nearest)) nearest = missed;
    }
    return { allowed: false, problem: explain(nearest, target) };
  };
}

const ruleOf = ({ host, methods, paths, ports }: HttpAllow): Rule => ({
  covers: createHostMatcher([host]),
  methods,
  paths,
  ports,
});

/** @returns the first part of a target that a rule does not cover */
function missing(rule: Rule, { url, method, port }: HttpTarget): Part | undefined {
  if (!rule.covers(withoutDot(url.hostname))) return "host";
  if (rule.methods !== undefined && !rule.methods.includes(method)) return "method";
  const { paths, ports } = rule;
  if (paths !== undefined) {
    const { pathname } = url;
    if (AMBIGUOUS.test(pathname) || !paths.some((pattern) => coversPath(pattern, pathname))) return "path";
  }
  if (ports !== undefined && !ports.includes(port)) return "port";
  return undefined;
}

/** Says what is not allowed, and which line would allow it. */
function explain(part: Part, { url, method, port }: HttpTarget): string {
  const host = withoutDot(url.hostname);
  switch (part) {
    case "host":
      return `the host ${quoted(host)} is not allowed; add ${quoted(host)} to capabilities.http.allowHosts in manifest.json`;
    case "method":
      return `${method} to ${quoted(host)} is not allowed; add ${quoted(method)} to the methods of the host in capabilities.http.allow`;
    case "path":
      return AMBIGUOUS.test(url.pathname)
        ? `the path ${quoted(url.pathname)} holds an encoded dot or slash, which no pattern covers`
        : `the path ${quoted(url.pathname)} of ${quoted(host)} is not allowed; add it to the paths of the host in capabilities.http.allow`;
    case "port":
      return `port ${port} of ${quoted(host)} is not allowed; add ${port} to the ports of the host in capabilities.http.allow`;
  }
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 100));
