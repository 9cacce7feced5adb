import type { FunctionError } from "@sous/contract";
import type { Store } from "@sous/store";
import { endOf } from "../activations/end-abandoned.ts";

const BATCH = 1000;
const LOST: FunctionError = {
  type: "SandboxCrashed",
  message: "the platform ended while the activation ran",
};

/**
 * Ends records that a crash left open: work that is not in the queue's journal any more will never run.
 * @returns how many
 */
export async function recover(store: Store, nowMs: number): Promise<number> {
  const queued = new Set((await store.journal.load()).map((entry) => entry.id));
  const limit = queued.size + BATCH;
  let ended = 0;
  for (;;) {
    const open = await store.activations.unfinished(limit);
    const lost = open.filter((record) => !queued.has(record.activation_id));
    await Promise.all(lost.map((record) => store.activations.finish(endOf(record, LOST, nowMs))));
    ended += lost.length;
    if (open.length < limit) return ended;
  }
}
