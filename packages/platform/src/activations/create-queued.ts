import { type ActivationRecord, PlatformError } from "@sous/contract";
import type { Store } from "@sous/store";

/** Writes the record of work that is queued, unless it has one. @returns whether it had none @throws CS_STORE_UNAVAILABLE */
export async function createQueued(
  activations: Pick<Store["activations"], "create">,
  record: ActivationRecord,
): Promise<boolean> {
  try {
    await activations.create(record);
    return true;
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== "CS_CONFLICT") throw error;
    return false;
  }
}
