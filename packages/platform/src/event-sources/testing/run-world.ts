import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { EventSourceRecord } from "@sous/contract";
import type { ResourceStore } from "@sous/store";
import type { SourceAdapter } from "../adapter.ts";
import { createLocalLeases } from "../partition-leases.ts";
import { runSource } from "../run-source.ts";
import { sleep } from "../sleep.ts";
import { SourceProgress } from "../source-progress.ts";
import { type Numbered, recordOf, type SourceWorld } from "./source-world.ts";

const PATIENCE_MS = 60_000;
const CALLER = {
  secret: async () => JSON.stringify({ access_key_id: "test", secret_access_key: "test" }),
  clock: Date.now,
  holder: "contract",
};

export const openWorld = (world: SourceWorld, source: EventSourceRecord): Promise<SourceAdapter> =>
  world.open({ ...CALLER, source, sleep });

export interface WorldRun {
  world: SourceWorld;
  resources: ResourceStore;
  over?: Partial<EventSourceRecord>;
  /** The function. @throws where it fails */
  work?: (message: Numbered) => void | Promise<void>;
  /** Between 0 and 1 (0.999): as late as the jitter may be. */
  random?: () => number;
}

/** A source that is read as the platform reads it, by a function in this process. */
export interface RunningWorld extends AsyncDisposable {
  /** What the function did well, in its order. */
  readonly succeeded: Numbered[];
  readonly faults: string[];
  /** How often a partition was asked for messages. */
  readonly reads: number;
  readonly readsAtOnceMax: number;
  until(holds: () => boolean, what: string): Promise<void>;
  /** Ends reading and waits. @returns how long that took, milliseconds */
  stop(): Promise<number>;
}

/** Reads a source with the whole framework until it is stopped. */
export function runWorld({ world, resources, over, work, random = () => 0.999 }: WorldRun): RunningWorld {
  const source = recordOf(world, over);
  const stop = new AbortController();
  const succeeded: Numbered[] = [];
  const faults: string[] = [];
  let reads = 0;
  let readsAtOnceMax = 0;
  const meter = { count: () => {}, fault: (_: unknown, error: unknown) => void faults.push(String(error)) };

  /** The adapter, with its reads counted. */
  async function openAdapter(): Promise<SourceAdapter> {
    const adapter = await openWorld(world, source);
    return {
      partitions: () => adapter.partitions(),
      [Symbol.asyncDispose]: () => adapter[Symbol.asyncDispose](),
      async open(id, checkpoint) {
        const partition = await adapter.open(id, checkpoint);
        const { receive } = partition;
        let atOnce = 0;
        partition.receive = async (room, signal) => {
          reads++;
          readsAtOnceMax = Math.max(readsAtOnceMax, ++atOnce);
          try {
            return await receive.call(partition, room, signal);
          } finally {
            atOnce--;
          }
        };
        return partition;
      },
    };
  }

  const running = runSource({
    source,
    openAdapter,
    resources,
    leases: createLocalLeases(),
    submitter: {
      async run(_source, { messages }) {
        const numbered = messages.map((message) => world.read(message));
        const end = { activationId: "", result: undefined, isCancelled: false };
        try {
          for (const each of numbered) await work?.(each);
        } catch {
          return { ...end, error: { type: "Exception", message: "it failed" } };
        }
        succeeded.push(...numbered);
        return { ...end, error: undefined };
      },
      refuse: () => assert.fail("nothing here is too deep"),
    },
    progress: new SourceProgress(source, meter, Date.now),
    depthMax: 8,
    clock: Date.now,
    random,
    sleep,
    stop: stop.signal,
    abandon: new AbortController().signal,
  });

  async function end(): Promise<number> {
    const begun = Date.now();
    stop.abort();
    await running;
    return Date.now() - begun;
  }

  return {
    succeeded,
    faults,
    get reads() {
      return reads;
    },
    get readsAtOnceMax() {
      return readsAtOnceMax;
    },
    async until(holds, what) {
      const endMs = Date.now() + PATIENCE_MS;
      while (!holds()) {
        const seen = JSON.stringify({ succeeded, faults: faults.slice(-5), reads });
        assert.ok(Date.now() < endMs, `${what} did not come: ${seen}`);
        await pause(10);
      }
    },
    stop: end,
    async [Symbol.asyncDispose]() {
      await end();
    },
  };
}
