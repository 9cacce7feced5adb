/** What a browser or client says about where a request goes and comes from. */
export interface RequestOrigin {
  host: string | undefined;
  origin: string | undefined;
  /** The `Sec-Fetch-Site` header. */
  fetchSite: string | undefined;
}

/**
 * Tells whether a request was really meant for this machine by something on this machine. Without tokens this
 * is what keeps web pages out: a page of another site is betrayed by `Origin` or `Sec-Fetch-Site`, a name
 * that was rebound to 127.0.0.1 by `Host`.
 * @returns whether host and origin are loopback; a client that sends no `Origin` passes by its host
 */
export function isLocalRequest({ host, origin, fetchSite }: RequestOrigin): boolean {
  if (host === undefined || !isLoopbackHost(host)) return false;
  if (fetchSite !== undefined && fetchSite === "cross-site") return false;
  if (origin === undefined) return true;
  const authority = /^https?:\/\/([^/?#@]+)$/i.exec(origin)?.[1];
  return authority !== undefined && isLoopbackHost(authority);
}

/** Names that browsers and resolvers keep on this machine: `localhost`, its sub-domains (RFC 6761), 127/8, ::1. */
function isLoopbackHost(authority: string): boolean {
  const name = authority.replace(/:\d{1,5}$/, "").toLowerCase();
  if (name === "localhost" || name === "127.0.0.1" || name === "[::1]") return true;
  if (/^127(\.\d{1,3}){3}$/.test(name)) return true;
  return /^([a-z0-9-]{1,63}\.)+localhost$/.test(name);
}
