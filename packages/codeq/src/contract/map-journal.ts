import { PlatformError } from "@sous/contract";
import type { JournalEntry, QueueJournal } from "@sous/store";

/** A journal in memory that outlives the queues opened on it. */
export interface MapJournal extends QueueJournal {
  readonly entries: ReadonlyMap<string, JournalEntry>;
  /** Makes every write fail with this until it is `undefined` again. */
  failure: Error | undefined;
}

/**
 * Keeps entries as the store does: copies in the order of appending, written when the promise settles, an
 * update that leaves the body alone and ignores unknown ids.
 */
export function createMapJournal(): MapJournal {
  const entries = new Map<string, JournalEntry>();
  const journal: MapJournal = {
    entries,
    failure: undefined,
    append: (entry) =>
      write(() => {
        if (entries.has(entry.id)) throw new PlatformError("CS_CONFLICT", `Entry ${entry.id} exists.`);
        entries.set(entry.id, { ...entry });
      }),
    update: (entry) =>
      write(() => {
        const old = entries.get(entry.id);
        if (old === undefined) return;
        const { attempt, due_at_ms, dead, dead_reason } = entry;
        entries.set(entry.id, { ...old, attempt, due_at_ms, dead, dead_reason });
      }),
    remove: (id) => write(() => void entries.delete(id)),
    load: () => Promise.resolve([...entries.values()]),
  };
  // The write lands a turn later, as a group commit does, and in the order of the calls.
  function write(apply: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        try {
          if (journal.failure !== undefined) throw journal.failure;
          apply();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }
  return journal;
}
