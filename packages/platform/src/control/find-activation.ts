import { type ActivationRecord, PlatformError } from "@sous/contract";
import type { ControlContext } from "./control-context.ts";

/**
 * Reads an activation: live first, as the store hears of it later.
 * @throws CS_NOT_FOUND
 */
export async function findActivation(
  { live, store, queued }: Pick<ControlContext, "live" | "store" | "queued">,
  tenant: string,
  activationId: string,
): Promise<ActivationRecord> {
  // Asked again afterwards: between the two look-ups it may have been written and let go, or have begun.
  const record =
    live.get(tenant, activationId) ??
    (await store.activations.get(tenant, activationId)) ??
    live.get(tenant, activationId) ??
    queued.get(tenant, activationId) ??
    // It began and ended meanwhile.
    (await store.activations.get(tenant, activationId));
  if (record === undefined) {
    throw new PlatformError(
      "CS_NOT_FOUND",
      `there is no activation ${activationId}; records are kept 7 days`,
    );
  }
  return record;
}
