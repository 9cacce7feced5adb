import { PlatformError } from "@sous/contract";

/** @returns the error of a place that cannot be used now */
export function bundlesUnavailable(place: string, cause: unknown): PlatformError {
  const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
  const message = `Bundles at ${place} cannot be reached: ${reason.slice(0, 300)}; try again when it is back`;
  return new PlatformError("CS_BUNDLES_UNAVAILABLE", message, { cause });
}
