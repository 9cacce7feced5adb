import assert from "node:assert/strict";
import type { Store } from "@sous/store";
import type { Partition, SourceMessage } from "../adapter.ts";
import { openCheckpoint } from "../checkpoints.ts";
import { openWorld } from "./run-world.ts";
import { recordOf, type SourceWorld } from "./source-world.ts";

const PATIENCE_MS = 60_000;

/** A message and the partition it came from. */
export interface Taken {
  message: SourceMessage;
  partition: Partition;
}

/** An adapter with all its partitions open, over the checkpoints of a store. */
export interface Reader extends AsyncDisposable {
  readonly partitions: readonly Partition[];
  /** Asks each partition in turn until there are so many messages. */
  take(count: number, room: number): Promise<Taken[]>;
  /** Asks each partition in turn until `see` has seen enough; more than `room` at a time is a failure. */
  poll(room: number, see: (taken: Taken) => boolean): Promise<void>;
}

export async function openReader(
  world: SourceWorld,
  { resources }: Pick<Store, "resources">,
): Promise<Reader> {
  const source = recordOf(world);
  const adapter = await openWorld(world, source);
  const partitions: Partition[] = [];
  for (const { id } of await adapter.partitions()) {
    const checkpoint = await openCheckpoint(resources, source, id, undefined);
    partitions.push(await adapter.open(id, checkpoint));
  }

  async function poll(room: number, see: (taken: Taken) => boolean): Promise<void> {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      for (const partition of partitions) {
        assert.ok(!patience.aborted, "the messages did not come");
        const messages = await partition.receive(room, patience);
        assert.ok(messages.length <= room, `${messages.length} came where there was room for ${room}`);
        const enough = messages.filter((message) => see({ message, partition }));
        if (enough.length > 0) return;
      }
    }
  }

  return {
    partitions,
    poll,
    async take(count, room) {
      const taken: Taken[] = [];
      await poll(room, (each) => taken.push(each) >= count);
      return taken;
    },
    async [Symbol.asyncDispose]() {
      for (const partition of partitions) await partition[Symbol.asyncDispose]();
      await adapter[Symbol.asyncDispose]();
    },
  };
}
