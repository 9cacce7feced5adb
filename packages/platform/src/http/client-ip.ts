import type { IncomingMessage } from "node:http";
import { PlatformError } from "@sous/contract";
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

/**
 * Makes a reader of the client's address.
 * @param trustedProxies addresses and CIDR ranges whose `X-Forwarded-For` is believed (none)
 * @returns a function from a request to the address of whoever sent it: the peer, or behind trusted proxies the
 *   last address of `X-Forwarded-For` that is none of them; `unknown` after the connection is gone
 * @throws CS_VALIDATION_FAILED for an entry that is no address or range
 */
export function createClientIpReader(
  trustedProxies: readonly string[] = [],
): (request: Pick<IncomingMessage, "socket" | "headers">) => string {
  const ranges = trustedProxies.map(parseRange);
  const isTrusted = (text: string): boolean => {
    if (!ipaddr.isValid(text)) return false;
    const address = ipaddr.process(text);
    return ranges.some(
      ([range, bits]) => range.kind() === address.kind() && address.match(range as never, bits),
    );
  };

  return (request) => {
    const peer = plain(request.socket.remoteAddress ?? "unknown");
    if (ranges.length === 0 || !isTrusted(peer)) return peer;
    const forwarded = request.headers["x-forwarded-for"];
    if (forwarded === undefined) return peer;
    const hops = (Array.isArray(forwarded) ? forwarded.join(",") : forwarded).split(",");
    // From the right: each proxy appends whom it saw, so what is left of the first stranger may be made up.
    let client = peer;
    for (let index = hops.length - 1; index >= 0; index--) {
      const hop = withoutPort((hops[index] ?? "").trim());
      if (!ipaddr.isValid(hop)) return client;
      client = plain(hop);
      if (!isTrusted(client)) return client;
    }
    return client;
  };
}

/** @returns the key to limit a client by: its IPv4 address, or the /64 an IPv6 client may roam in */
export function rateLimitKey(ip: string): string {
  if (!ip.includes(":") || !ipaddr.IPv6.isValid(ip)) return ip;
  return `${ipaddr.IPv6.parse(ip).parts.slice(0, 4).join(":")}::/64`;
}

function parseRange(text: string): Range {
  try {
    if (text.includes("/")) return ipaddr.parseCIDR(text);
    const address = ipaddr.process(text);
    return [address, address.kind() === "ipv4" ? 32 : 128];
  } catch (cause) {
    throw new PlatformError("CS_VALIDATION_FAILED", `trusted proxy ${text} is no address or CIDR range`, {
      cause,
    });
  }
}

const plain = (ip: string): string => (ip.startsWith("::ffff:") ? ip.slice(7) : ip);

const withoutPort = (hop: string): string =>
  /^\[(.+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop;
