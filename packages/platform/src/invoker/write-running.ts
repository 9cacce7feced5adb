import { type ActivationRecord, PlatformError } from "@sous/contract";
import type { InvokerOptions } from "./invoker.ts";

/**
 * Writes that an attempt of asynchronous work has begun. Nobody waits for it.
 * @param isStored whether the store was seen to have a record of it
 */
export function writeRunning(
  { store, meter, codeq }: Pick<InvokerOptions, "store" | "meter" | "codeq">,
  record: ActivationRecord,
  isStored: boolean,
): void {
  // What waited in a queue of this process has its first record now.
  const isNew = codeq.held !== undefined && record.fingerprint === undefined && !isStored;
  const update = (): Promise<unknown> => store.activations.update(record);
  // It may have begun before, and waited for room since.
  const orUpdate = (error: unknown): Promise<unknown> =>
    isConflict(error) ? update() : Promise.reject(error);
  const create = (): Promise<unknown> => store.activations.create(record).catch(orUpdate);
  // Where the queue lies in a server the work may be here before the gateway has written its record.
  const mayBeFirst = codeq.held === undefined && !isStored;
  const written = isNew
    ? create()
    : update().then((applied) => (applied === false && mayBeFirst ? create() : undefined));
  written.catch((error: unknown) => meter.recordLost(record.activation_id, error));
}

const isConflict = (error: unknown): boolean =>
  error instanceof PlatformError && error.code === "CS_CONFLICT";
