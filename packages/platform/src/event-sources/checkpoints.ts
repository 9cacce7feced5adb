import { type EventSourceRecord, PlatformError } from "@sous/contract";
import type { Fence, ResourceStore } from "@sous/store";
import { checkpointKey, CHECKPOINT_KIND } from "../events/event-resources.ts";
import type { Checkpoint, CheckpointKeeper } from "./adapter.ts";

const NONE: Checkpoint = { position: null, ended: false };
/** Shards of a stream that were ever read: those that are gone go with their source. */
const CHECKPOINTS_MAX = 100_000;

/** Reads where a partition has come to. */
export async function readCheckpoint(
  resources: ResourceStore,
  source: EventSourceRecord,
  partition: string,
): Promise<{ checkpoint: Checkpoint; generation: number }> {
  const stored = await resources.get(CHECKPOINT_KIND, checkpointKey(source, partition));
  if (stored === undefined) return { checkpoint: NONE, generation: 0 };
  return { checkpoint: JSON.parse(stored.record_json) as Checkpoint, generation: stored.generation };
}

/** @param fence of the lease with which the partition is read: a process whose time is over writes nothing */
export async function openCheckpoint(
  resources: ResourceStore,
  source: EventSourceRecord,
  partition: string,
  fence: Fence | undefined,
): Promise<CheckpointKeeper> {
  const key = checkpointKey(source, partition);
  let { checkpoint, generation } = await readCheckpoint(resources, source, partition);
  if (generation === 0) {
    await resources.create(CHECKPOINT_KIND, key, JSON.stringify(NONE), CHECKPOINTS_MAX);
    generation = 1;
  }
  let writing: Promise<void> = Promise.resolve();
  let next: Checkpoint | undefined;

  /** Writes the newest there is; what came while another was being written is one write. */
  async function write(): Promise<void> {
    if (next === undefined) return;
    const wanted = next;
    next = undefined;
    const applied = await resources.replace(CHECKPOINT_KIND, key, generation, JSON.stringify(wanted), fence);
    if (!applied) {
      const message = `another process reads ${partition} of ${source.name} now`;
      throw new PlatformError("CS_CONFLICT", message);
    }
    generation++;
    checkpoint = wanted;
  }

  return {
    get read() {
      return checkpoint;
    },
    write(wanted) {
      next = wanted;
      writing = writing.catch(() => {}).then(write);
      return writing;
    },
  };
}
