import { type ActivationRecord, PlatformError } from "@sous/contract";
import type { InvokerOptions } from "./invoker.ts";

/**
 * Writes that an attempt of asynchronous work has begun.
 * @param isStored whether the store was seen to have a record of it
 * @returns whether it stands: not where the activation has ended, or a later attempt has begun
 */
export function writeRunning(
  { store, codeq }: Pick<InvokerOptions, "store" | "codeq">,
  record: ActivationRecord,
  isStored: boolean,
): Promise<boolean> {
  // What waited in a queue that can be asked has its first record now.
  const isNew = codeq.lookup !== undefined && record.fingerprint === undefined && !isStored;
  const update = (): Promise<boolean> => store.activations.update(record);
  const create = (): Promise<boolean> =>
    store.activations.create(record).then(
      () => true,
      // It may have begun before, and waited for room since.
      (error: unknown) => (isConflict(error) ? update() : Promise.reject(error)),
    );
  if (isNew) return create();
  // From a server the work may be here before the gateway has written its record.
  const mayBeFirst = codeq.isShared && !isStored;
  return update().then((applied) => (applied || !mayBeFirst ? applied : create()));
}

const isConflict = (error: unknown): boolean =>
  error instanceof PlatformError && error.code === "CS_CONFLICT";
