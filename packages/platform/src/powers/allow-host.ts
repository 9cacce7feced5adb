import { isIP } from "node:net";

/** @returns whether a hostname (as `URL.hostname` gives it) is on the list */
export type HostMatcher = (hostname: string) => boolean;

/**
 * Compiles a host allow-list. `api.example.com` covers itself, `*.example.com` its sub-domains only,
 * `[2606:4700::1]` and `192.0.2.1` an address in whatever spelling. Letters and a last dot do not matter.
 */
export function createHostMatcher(allowHosts: readonly string[]): HostMatcher {
  const exact = new Set<string>();
  const suffixes: string[] = [];
  for (const pattern of allowHosts) {
    const wildcard = pattern.startsWith("*.");
    const host = canonicalHost(wildcard ? pattern.slice(2) : pattern);
    if (host === undefined) continue;
    if (!wildcard) exact.add(host);
    else if (!isAddress(host)) suffixes.push(`.${host}`);
  }
  return (hostname) => {
    const host = withoutDot(hostname.toLowerCase());
    if (exact.has(host)) return true;
    // `*.0.0.1` must not cover 127.0.0.1.
    return !isAddress(host) && suffixes.some((suffix) => host.endsWith(suffix) && host !== suffix);
  };
}

/** @returns the IP literal inside a URL's hostname, without brackets, or `undefined` for a name */
export function addressOf(hostname: string): string | undefined {
  const bare = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? undefined : bare;
}

const isAddress = (host: string): boolean => addressOf(host) !== undefined;

/** @returns a name without the dot that roots it */
export const withoutDot = (host: string): string => (host.endsWith(".") ? host.slice(0, -1) : host);

// The URL parser spells addresses and international names in one way; the list must be spelt in the same.
function canonicalHost(pattern: string): string | undefined {
  const url = URL.parse(`http://${pattern}/`);
  if (url === null || url.pathname !== "/" || url.port !== "" || url.username !== "" || url.search !== "") {
    return undefined;
  }
  return withoutDot(url.hostname);
}
