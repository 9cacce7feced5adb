import { type FunctionRecord, PlatformError } from "@sous/contract";
import type { FunctionKey, Store } from "@sous/store";

/**
 * @returns the function
 * @throws CS_NOT_FOUND when there is none, or only a deleted one and those are not asked for
 */
export async function findFunction(
  store: Pick<Store, "functions">,
  key: FunctionKey,
  includeDeleted = false,
): Promise<FunctionRecord> {
  const record = await store.functions.get(key);
  if (record === undefined || (record.deleted_at_ms !== null && !includeDeleted)) {
    throw new PlatformError("CS_NOT_FOUND", `there is no function ${key.name} in namespace ${key.namespace}`);
  }
  return record;
}
