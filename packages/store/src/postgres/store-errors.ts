import { PlatformError } from "@sous/contract";
import { Refusal } from "../sql/refusal.ts";
import { engineFailure } from "./engine-failure.ts";

/** @param what the server does or does not, as `takes no writes` */
export function unavailable(what: string, cause: unknown): PlatformError {
  if (cause instanceof Refusal) return new PlatformError(cause.code, cause.message, { cause });
  const reason = engineFailure(cause) ?? String(cause);
  return new PlatformError("CS_STORE_UNAVAILABLE", `The database ${what}: ${reason}; try again`, { cause });
}

export const closedStore = (): PlatformError =>
  new PlatformError("CS_STORE_UNAVAILABLE", "The store is closed; open it again");
