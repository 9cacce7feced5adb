import type { IncomingMessage } from "node:http";
import { PlatformError } from "@sous/contract";

/**
 * Names of tenants and functions are in the metrics: they are not for everybody who can reach the port.
 * @returns why this caller may not read them, or `undefined`
 */
export function metricsRefusal(
  { socket }: Pick<IncomingMessage, "socket">,
  isPublic: boolean,
): PlatformError | undefined {
  if (isPublic || isLoopback(socket.remoteAddress)) return undefined;
  return new PlatformError(
    "CS_AUTHZ_DENIED",
    "metrics are for this machine only; set metrics_public to change it",
  );
}

const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && (address === "::1" || /^(::ffff:)?127\./.test(address));
