import { join } from "node:path";
import { createSqliteStore, type JournalEntry } from "@sous/store";

/** Reads what the queue of a stopped platform keeps on disk. */
export async function readJournal(data: string): Promise<JournalEntry[]> {
  await using store = await createSqliteStore({ path: join(data, "sous.db") });
  return await store.journal.load();
}
