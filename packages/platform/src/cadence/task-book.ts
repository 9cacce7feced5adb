import type { ActivityResult, Invocation } from "@sous/contract";
import type { FunctionKey, ResourceStore, StoredResource } from "@sous/store";
import { CADENCE_TASK_KIND } from "../cadence-workers/worker-records.ts";

/** Tasks of a namespace that may be unanswered; workers stop polling long before. */
const TASKS_MAX = 1_000_000;
/** Those that were just taken still hold their input: small pages. */
const PAGE = 50;
/**
 * Most that is kept of a task, in bytes. What would be longer is kept without its invocation: after a crash before that
 * was queued the task fails, and Cadence decides. Details of heartbeats that are longer are kept in memory only.
 */
const ENTRY_BYTES_MAX = 60 * 1024;

/** What is known of a task from when it is taken until it is answered, so that a crash loses no answer. */
export interface TaskEntry {
  activation_id: string;
  tenant: string;
  namespace: string;
  /** Name of the worker that took it. */
  worker: string;
  domain: string;
  tasklist: string;
  identity: string;
  /** Base64. It is a power: it goes into no record and no log. */
  token: string;
  result: ActivityResult;
  /** When Cadence gives the attempt up; `null` for never. */
  deadline_ms: number | null;
  /** 0 for none. */
  heartbeat_timeout_ms: number;
  /** What the next heartbeat says, base64. */
  details: string;
  taken_at_ms: number;
  /** When the process that looks after it last said so. */
  touched_ms: number;
  /** Until it is known to be queued: what to queue. */
  invocation?: Invocation;
}

/** An entry as it is kept. */
export interface KeptTask {
  entry: TaskEntry;
  generation: number;
}

/** The taken tasks that are not answered, in the store. */
export interface TaskBook {
  /** Writes a task down. @returns its generation; that of the entry there is, when it was taken before */
  keep(entry: TaskEntry): Promise<number>;
  /** Writes it anew if it still has this generation. @returns whether it had */
  rewrite(entry: TaskEntry, generation: number): Promise<boolean>;
  forget(entry: TaskEntry): Promise<void>;
  /** Every entry, whoever took it. */
  all(): AsyncIterable<KeptTask>;
}

export function createTaskBook(resources: ResourceStore): TaskBook {
  const keyOf = ({ tenant, namespace, activation_id }: TaskEntry): FunctionKey => ({
    tenant,
    namespace,
    name: activation_id,
  });
  return {
    async keep(entry) {
      try {
        await resources.create(CADENCE_TASK_KIND, keyOf(entry), textOf(entry), TASKS_MAX);
        return 1;
      } catch (error) {
        const known = await resources.get(CADENCE_TASK_KIND, keyOf(entry));
        if (known === undefined) throw error;
        return known.generation;
      }
    },
    rewrite: (entry, generation) =>
      resources.replace(CADENCE_TASK_KIND, keyOf(entry), generation, textOf(entry)),
    async forget(entry) {
      await resources.delete(CADENCE_TASK_KIND, keyOf(entry));
    },
    async *all() {
      let cursor: string | undefined;
      do {
        const page = await resources.all(CADENCE_TASK_KIND, { limit: PAGE, cursor });
        yield* page.items.map(keptOf);
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
    },
  };
}

function textOf(entry: TaskEntry): string {
  const whole = JSON.stringify(entry);
  if (Buffer.byteLength(whole) <= ENTRY_BYTES_MAX) return whole;
  const { invocation: _, ...rest } = entry;
  return JSON.stringify({ ...rest, details: rest.details.length < ENTRY_BYTES_MAX / 2 ? rest.details : "" });
}

const keptOf = ({ record_json, generation }: StoredResource): KeptTask => ({
  entry: JSON.parse(record_json) as TaskEntry,
  generation,
});
