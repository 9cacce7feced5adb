import { setTimeout as sleep } from "node:timers/promises";
import { type ActivationRecord, PlatformError } from "@sous/contract";
import type { ControlContext } from "./control-context.ts";

/** Pauses before each look for an activation, in milliseconds. */
const LOOK_PAUSES_MS = [0, 20, 100];

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
  const look = async (): Promise<ActivationRecord | undefined> =>
    live.get(tenant, activationId) ??
    (await store.activations.get(tenant, activationId)) ??
    live.get(tenant, activationId) ??
    (await queued.get(tenant, activationId)) ??
    // It began and ended meanwhile.
    (await store.activations.get(tenant, activationId));
  // One that is cancelled leaves the queue a commit before it has a record.
  for (const pauseMs of LOOK_PAUSES_MS) {
    if (pauseMs > 0) await sleep(pauseMs);
    const record = await look();
    if (record !== undefined) return record;
  }
  throw new PlatformError("CS_NOT_FOUND", `there is no activation ${activationId}; records are kept 7 days`);
}
