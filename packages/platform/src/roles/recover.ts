import type { Store, TerminalRecord } from "@sous/store";

const BATCH = 1000;

/**
 * Ends records that a crash left open: work that is not in the queue's journal any more will never run.
 * @returns how many
 */
export async function recover(store: Store, nowMs: number): Promise<number> {
  const open = await store.activations.unfinished(BATCH);
  if (open.length === 0) return 0;
  const queued = new Set((await store.journal.load()).map((entry) => entry.id));
  const lost = open.filter((record) => !queued.has(record.activation_id));
  const message = "the platform ended while the activation ran";
  await Promise.all(
    lost.map(async (record) => {
      const ended: TerminalRecord = {
        ...record,
        status: "error",
        end_ms: nowMs,
        error: { type: "SandboxCrashed", message },
      };
      if (record.start_ms !== null) ended.duration_ms = Math.max(0, nowMs - record.start_ms);
      return await store.activations.finish(ended);
    }),
  );
  return lost.length;
}
