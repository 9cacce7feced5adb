import type { ActivationRecord } from "@sous/contract";
import type { SandboxOutcome } from "@sous/sandbox";
import type { Store } from "@sous/store";
import { createQueued } from "../activations/create-queued.ts";
import type { LiveActivation } from "../activations/live-activation.ts";
import type { InvokerMeter } from "./invoker.ts";

export interface QueuedAgainOptions {
  store: Pick<Store, "activations" | "logs">;
  meter: Pick<InvokerMeter, "writeRefused">;
}

/** @returns the record of work whose attempt failed at `endMs`, queued for the next one */
export function queuedAgain(live: LiveActivation, outcome: SandboxOutcome, endMs: number): ActivationRecord {
  const { attempt } = live.invocation;
  const { status, error } = outcome;
  const failed = { attempt, start_ms: live.startMs ?? endMs, end_ms: endMs, status };
  const attempts = [...live.earlier, error === undefined ? failed : { ...failed, error }];
  return { ...live.record(), attempts, status: "queued", attempt: attempt + 1 };
}

/** Writes that record, and what the attempt logged. What the store refuses is told, and lost: the work goes on all the same. */
export async function writeQueuedAgain(
  { store, meter }: QueuedAgainOptions,
  live: LiveActivation,
  record: ActivationRecord,
): Promise<void> {
  const { tenant, activation_id: id } = record;
  const writes: Promise<unknown>[] = [update(store.activations, record)];
  if (live.logs.length > 0) writes.push(store.logs.append(tenant, id, live.logs));
  for (const written of await Promise.allSettled(writes)) {
    if (written.status === "rejected") meter.writeRefused(id, written.reason);
  }
}

/** That it began may not have been written. */
async function update(activations: Store["activations"], record: ActivationRecord): Promise<void> {
  if (!(await activations.update(record))) await createQueued(activations, record);
}
