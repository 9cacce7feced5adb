import { type ActivationRecord, type FunctionError, TOPICS } from "@sous/contract";
import type { Store, TerminalRecord } from "@sous/store";
import type { InvocationCodeQ } from "./invocation-queue.ts";

/** Open records that are looked at in one go, the oldest ones. */
const LOOKED_AT_MAX = 1000;
/** Questions to the queue at once. */
const BATCH = 50;
/** A record this old whose message is gone has no end on its way, in milliseconds. */
const GRACE_MS = 120_000;

/** @returns the end of a record that nothing else will end any more */
export function endOf(record: ActivationRecord, error: FunctionError, nowMs: number): TerminalRecord {
  const ended: TerminalRecord = { ...record, status: "error", end_ms: nowMs, error };
  if (record.start_ms !== null) ended.duration_ms = Math.max(0, nowMs - record.start_ms);
  return ended;
}

/**
 * Ends records of queued work whose message a queue in a server has lost: after a power cut where it does not sync each write, or
 * where a process died between taking a message out and writing its end. A message goes only after its end is written, so one that
 * is gone while its record is open will not come back. Without this a schedule that waits for its last run would wait for ever.
 * Engines that cannot be asked for a message keep such records open.
 * @returns the ids of those that were ended
 */
export async function endAbandoned(
  {
    store,
    codeq,
  }: { store: Pick<Store, "activations">; codeq: Pick<InvocationCodeQ, "isShared" | "lookup"> },
  nowMs: number,
): Promise<string[]> {
  const { lookup } = codeq;
  if (!codeq.isShared || lookup === undefined) return [];
  const open = await store.activations.unfinished(LOOKED_AT_MAX);
  const old = open.filter(
    ({ mode, enqueued_at_ms, start_ms }) =>
      mode === "async" && (start_ms ?? enqueued_at_ms) < nowMs - GRACE_MS,
  );
  const ended: string[] = [];
  for (let from = 0; from < old.length; from += BATCH) {
    const looked = old.slice(from, from + BATCH).map(async (record) => {
      const { tenant, activation_id: id } = record;
      if ((await lookup.find(TOPICS.invoke, tenant, id)) !== undefined) return;
      // As it stands now: another attempt may have begun, or ended, since it was listed.
      const now = await store.activations.get(tenant, id);
      if (now === undefined || now.attempt !== record.attempt || now.start_ms !== record.start_ms) return;
      const message = "the queue has lost it: its message is gone, and nothing has written its end";
      if (await store.activations.finish(endOf(now, { type: "SandboxCrashed", message }, nowMs)))
        ended.push(id);
    });
    await Promise.all(looked);
  }
  return ended;
}
