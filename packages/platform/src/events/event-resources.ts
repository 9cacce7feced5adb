import { createHash } from "node:crypto";
import type { EventSourceRecord, EventSourceStatus } from "@sous/contract";
import type { FunctionKey, StoredResource } from "@sous/store";

/** The kinds of resources in which event sources are kept. */
export const EVENT_SOURCE_KIND = "event-source";
export const CHECKPOINT_KIND = "event-checkpoint";
export const STATUS_KIND = "event-source-status";

/** An event source as it stands. */
export interface StoredEventSource {
  record: EventSourceRecord;
  /** Counts changes by its owner, from 1. */
  generation: number;
}

export const readEventSource = ({ record_json, generation }: StoredResource): StoredEventSource => ({
  record: JSON.parse(record_json) as EventSourceRecord,
  generation,
});

const PLAIN = /^[A-Za-z0-9_.:-]{1,80}$/;

/** @returns the key of a partition's checkpoint; a source that is made anew begins anew */
export function checkpointKey({ tenant, namespace, uid }: EventSourceRecord, partition: string): FunctionKey {
  const name = PLAIN.test(partition) ? partition : createHash("sha256").update(partition).digest("hex");
  return { tenant, namespace, name: `${uid}/${name}` };
}

/** How a source goes of which no poller has said anything. */
export const unknownStatus = (state: "starting" | "paused"): EventSourceStatus => ({
  state,
  lag: null,
  lag_ms: null,
  in_flight: 0,
  partitions: 0,
  received: 0,
  filtered: 0,
  succeeded: 0,
  failed: 0,
  last_error: null,
  last_activation_id: null,
  updated_at_ms: null,
});

/** @returns the topic in which a source of the platform's own queue has its messages */
export const sourceTopic = ({
  tenant,
  namespace,
  uid,
}: Pick<EventSourceRecord, "tenant" | "namespace" | "uid">): string => `events/${tenant}/${namespace}/${uid}`;
