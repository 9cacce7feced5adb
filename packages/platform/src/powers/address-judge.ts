import { BlockList, isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { PlatformError } from "@sous/contract";

/** Why an address must not be connected to: `private` is not public, `port` is public on a port we do not call. */
export type AddressProblem = "private" | "port";

/** Decides which addresses functions may reach. */
export interface AddressJudge {
  /** Whether the operator opened any private range; then names and ports are judged by their addresses. */
  readonly opensPrivate: boolean;
  /** @returns whether public addresses may be called on a port */
  allowsPort(port: number): boolean;
  /**
   * @param address as a resolver, a URL or a socket gave it
   * @param port 1–65535
   * @returns why not, or `undefined` when it may be called
   */
  judge(address: string, port: number): AddressProblem | undefined;
}

export interface AddressJudgeOptions {
  /** CIDR ranges that may be called although they are not public, on any port; an operator's setting. */
  privateAllow?: readonly string[];
  /** CIDR ranges that may not be called although they are public: a cluster's, the platform's own. */
  deny?: readonly string[];
  /** The addresses of this machine now, none of which may be called. */
  ownAddresses?: () => readonly string[];
  /** Ports of public addresses that may be called (80, 443). */
  ports?: readonly number[] | "any";
}

// Everything the IANA special-purpose registries keep from the public Internet, and the metadata services of
// Azure and Alibaba, which have public-looking addresses. @see RFC 6890 and its successors
const V4_DENY = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.31.196.0/24",
  "192.52.193.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "192.175.48.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "168.63.129.16/32",
];
// Inside global unicast: protocol assignments with Teredo and ORCHID, documentation, 6to4, segment routing.
const V6_DENY = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "2620:4f:8000::/48"];
const deniedV4 = blockList(V4_DENY);
const deniedV6 = blockList(V6_DENY);
const globalV6 = blockList(["2000::/3"]);
const nat64 = ipaddr.IPv6.parseCIDR("64:ff9b::/96");

/** Makes a judge. @throws CS_VALIDATION_FAILED when a range is not CIDR */
export function createAddressJudge(options: AddressJudgeOptions = {}): AddressJudge {
  const { ownAddresses = () => [], ports = [80, 443] } = options;
  const privateAllow = blockList(options.privateAllow ?? []);
  const deny = blockList(options.deny ?? []);
  const allowsPort = (port: number): boolean => ports === "any" || ports.includes(port);
  const opensPrivate = (options.privateAllow ?? []).length > 0;
  return {
    opensPrivate,
    allowsPort,
    judge(address, port) {
      const plain = parseAddress(address);
      if (plain === undefined) return "private";
      const text = plain.toString();
      if (privateAllow.check(text, plain.kind())) return undefined;
      if (!isPublicAddress(address) || deny.check(text, plain.kind())) return "private";
      if (ownAddresses().some((own) => sameAddress(own, text))) return "private";
      return allowsPort(port) ? undefined : "port";
    },
  };
}

/**
 * Tells public unicast addresses from all others. IPv6 addresses that carry an IPv4 address (mapped, NAT64)
 * are judged by the address they carry.
 * @param address an IP literal; anything else is not public
 */
export function isPublicAddress(address: string): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined) return false;
  if (parsed instanceof ipaddr.IPv4) return !deniedV4.check(parsed.toString(), "ipv4");
  const bytes = parsed.toByteArray();
  if (parsed.match(nat64)) return isPublicAddress(bytes.slice(12).join("."));
  // ISATAP: an interface id of 0:5efe:a.b.c.d, or 200:5efe:… where the address is universal.
  if (bytes[10] === 0x5e && bytes[11] === 0xfe && bytes[9] === 0) return false;
  const text = parsed.toString();
  return globalV6.check(text, "ipv6") && !deniedV6.check(text, "ipv6");
}

/**
 * Reads an IP literal; a mapped IPv4 address becomes the IPv4 address.
 * @returns `undefined` for everything else, also for an address with a zone, which chooses an interface
 */
function parseAddress(address: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const family = isIP(address);
  if (family === 0 || address.includes("%")) return undefined;
  if (family === 4) return ipaddr.IPv4.parse(address);
  // In hexadecimal first: ipaddr.js reads `::8.8.8.8` as the mapped address, which it is not.
  const host = URL.parse(`http://[${address}]/`)?.hostname ?? "";
  return ipaddr.process(host.slice(1, -1));
}

const sameAddress = (own: string, address: string): boolean =>
  parseAddress(own.split("%", 1)[0] ?? "")?.toString() === address;

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [base, bits] = parseRange(range);
    list.addSubnet(base.toString(), bits, base.kind());
  }
  return list;
}

function parseRange(range: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  try {
    return ipaddr.parseCIDR(range);
  } catch (cause) {
    const message = `${JSON.stringify(range)} is not a range of addresses; write it like 10.0.0.0/8`;
    throw new PlatformError("CS_VALIDATION_FAILED", message, { cause });
  }
}
