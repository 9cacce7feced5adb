import type { EventSourceRecord } from "@sous/contract";
import type { ResourceStore } from "@sous/store";
import { compileFilters } from "../events/filter-pattern.ts";
import type { PartitionInfo, SourceAdapter } from "./adapter.ts";
import { openCheckpoint, readCheckpoint } from "./checkpoints.ts";
import type { PartitionLeases, Tenure } from "./partition-leases.ts";
import { runPartition } from "./run-partition.ts";
import { forEachAtMost } from "./for-each-at-most.ts";
import { backoffMs, type Sleep } from "./sleep.ts";
import type { SourceProgress } from "./source-progress.ts";
import type { EventSubmitter } from "./submit-events.ts";

/** How often a source is asked for its partitions, milliseconds; sooner while others read some of them. */
const LOOK_MS = 10_000;
const LOOK_FOR_FREE_MS = 2000;
/** Checkpoints of partitions that are read at a time. */
const AT_ONCE = 16;
const PAUSE_MS = 500;
const PAUSE_MAX_MS = 60_000;

export interface RunSourceOptions {
  source: EventSourceRecord;
  /** Makes the adapter; may fail while a secret is missing. */
  openAdapter: (source: EventSourceRecord) => Promise<SourceAdapter>;
  resources: ResourceStore;
  leases: PartitionLeases;
  submitter: EventSubmitter;
  progress: SourceProgress;
  depthMax: number;
  clock: () => number;
  random: () => number;
  sleep: Sleep;
  /** Ends reading; what runs is waited for. */
  stop: AbortSignal;
  /** Ends the waiting too. */
  abandon: AbortSignal;
}

/**
 * Reads one source until it is stopped: finds its partitions again and again, takes those that are free and whose
 * parents are through, and works each off. Whatever fails is tried again, later each time.
 */
export async function runSource(options: RunSourceOptions): Promise<void> {
  const { source, openAdapter, progress, stop, sleep, random } = options;
  for (let failures = 0; !stop.aborted;) {
    try {
      await using adapter = await openAdapter(source);
      await readPartitions(options, adapter, () => void (failures = 0));
    } catch (error) {
      progress.trouble("source", "failing", error);
      await sleep(backoffMs(++failures, PAUSE_MS, PAUSE_MAX_MS, random), stop);
    }
  }
}

async function readPartitions(
  options: RunSourceOptions,
  adapter: SourceAdapter,
  onLook: () => void,
): Promise<void> {
  const { source, progress, stop, sleep, random } = options;
  const running = new Map<string, Promise<void>>();
  const ended = new Set<string>();

  /** @returns the names of the leases of partitions that may be read now and are not read here */
  async function wanted(infos: readonly PartitionInfo[]): Promise<Map<string, PartitionInfo>> {
    const found = new Map<string, PartitionInfo>();
    const others = infos.filter(({ id }) => !running.has(id) && !ended.has(id));
    await forEachAtMost(others, AT_ONCE, async ({ id }) => {
      if (await isThrough(options, id)) ended.add(id);
    });
    for (const info of others) {
      if (ended.has(info.id) || !parentsAreThrough(info, infos, ended)) continue;
      found.set(`event-source/${source.uid}/${info.id}`, info);
    }
    return found;
  }

  /** Takes what is free. @returns how many partitions are left to others, or wait for their parents */
  async function take(): Promise<number> {
    const infos = await adapter.partitions();
    const names = await wanted(infos);
    const taken = stop.aborted ? [] : await options.leases.takeShare([...names.keys()]);
    for (const [name, tenure] of taken) {
      const { id = "" } = names.get(name) ?? {};
      const work = readOne(options, adapter, id, tenure).finally(() => running.delete(id));
      running.set(id, work);
    }
    return infos.filter(({ id }) => !running.has(id) && !ended.has(id)).length;
  }

  try {
    for (let failures = 0; !stop.aborted;) {
      let pauseMs: number;
      try {
        pauseMs = (await take()) > 0 ? LOOK_FOR_FREE_MS : LOOK_MS;
        failures = 0;
        onLook();
        progress.well("source");
      } catch (error) {
        // What is read goes on, and so does the looking: a new adapter would have to wait for its end.
        if (running.size === 0) throw error;
        progress.trouble("source", "failing", error);
        pauseMs = backoffMs(++failures, PAUSE_MS, PAUSE_MAX_MS, random);
      }
      // Whoever ends makes room for its children.
      const pause = sleep(pauseMs, stop);
      await (running.size === 0 ? pause : Promise.race([pause, ...running.values()]));
    }
  } finally {
    await Promise.all(running.values());
  }
}

async function isThrough({ source, resources }: RunSourceOptions, partition: string): Promise<boolean> {
  if (source.type !== "kinesis") return false;
  return (await readCheckpoint(resources, source, partition)).checkpoint.ended;
}

/** A parent the source does not know any more has nothing left to read. */
const parentsAreThrough = (
  { parents }: PartitionInfo,
  infos: readonly PartitionInfo[],
  ended: ReadonlySet<string>,
): boolean => parents.every((parent) => ended.has(parent) || !infos.some(({ id }) => id === parent));

async function readOne(
  options: RunSourceOptions,
  adapter: SourceAdapter,
  partitionId: string,
  tenure: Tenure,
): Promise<void> {
  const { source, resources, progress, stop, abandon } = options;
  const place = `${partitionId}:open`;
  try {
    await using _held = tenure;
    const checkpoint = await openCheckpoint(resources, source, partitionId, tenure.fence);
    await using partition = await adapter.open(partitionId, checkpoint);
    progress.opened(partitionId);
    progress.well(place);
    const isAtEnd = await runPartition({
      ...options,
      partitionId,
      partition,
      filter: compileFilters(source.filters),
      stop: AbortSignal.any([stop, tenure.lost]),
      abandon: AbortSignal.any([abandon, tenure.lost]),
    });
    if (isAtEnd) await checkpoint.write({ ...checkpoint.read, ended: true });
  } catch (error) {
    progress.trouble(place, "failing", error);
    await options.sleep(backoffMs(3, PAUSE_MS, PAUSE_MAX_MS, options.random), stop);
  } finally {
    progress.closed(partitionId);
  }
}
