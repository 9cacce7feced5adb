import type { ActivationRecord } from "@sous/contract";
import type { Store, TerminalRecord } from "@sous/store";

const BATCH = 1000;

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
    await Promise.all(lost.map((record) => store.activations.finish(lostRecord(record, nowMs))));
    ended += lost.length;
    if (open.length < limit) return ended;
  }
}

function lostRecord(record: ActivationRecord, nowMs: number): TerminalRecord {
  const message = "the platform ended while the activation ran";
  const ended: TerminalRecord = {
    ...record,
    status: "error",
    end_ms: nowMs,
    error: { type: "SandboxCrashed", message },
  };
  if (record.start_ms !== null) ended.duration_ms = Math.max(0, nowMs - record.start_ms);
  return ended;
}
