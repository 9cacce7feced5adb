import { promises as dns } from "node:dns";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { PlatformError } from "@sous/contract";
import { createAddressJudge } from "../powers/address-judge.ts";

/**
 * Resolves a name once.
 * @returns an address that may be connected to
 * @throws CS_RUNTIME_CAPABILITY_DENIED where one of its addresses is not public
 */
export type AddressGuard = (hostname: string, port: number) => Promise<string>;

/** Makes the guard of connections that are not HTTP. @param privateAllow CIDR ranges that may be reached although they are private */
export function createAddressGuard(privateAllow: readonly string[]): AddressGuard {
  const judge = createAddressJudge({
    privateAllow,
    deny: [],
    ports: "any",
    ownAddresses: () =>
      Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
  });
  return async (hostname, port) => {
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    const found =
      isIP(host) > 0 ? [{ address: host }] : await dns.lookup(host, { all: true, order: "ipv4first" });
    for (const { address } of found) {
      if (judge.judge(address, port) === undefined) continue;
      throw new PlatformError(
        "CS_RUNTIME_CAPABILITY_DENIED",
        `${hostname} is not a public address; an operator may open it with egress.private_allow`,
      );
    }
    const [first] = found;
    if (first === undefined)
      throw new PlatformError("CS_RUNTIME_EGRESS_FAILED", `${hostname} has no address`);
    return first.address;
  };
}
