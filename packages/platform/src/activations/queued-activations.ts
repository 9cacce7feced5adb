import type { Message, WaitingPlace } from "@sous/codeq";
import { type ActivationRecord, type Invocation, TOPICS } from "@sous/contract";
import type { ActivationFilter } from "@sous/store";
import type { InvocationCodeQ } from "./invocation-queue.ts";
import { LiveActivation } from "./live-activation.ts";

/**
 * Activations that wait in a queue that can be asked. They have no record in the store before they start: the message
 * says all there is, and writing it twice would cost an accepted call half as much again.
 */
export interface QueuedActivations {
  get(tenant: string, activationId: string): Promise<ActivationRecord | undefined>;
  /**
   * Those that pass the filter, newest first.
   * @param below only what is older, `undefined` for all
   */
  list(filter: ActivationFilter, below: WaitingPlace | undefined, limit: number): Promise<QueuedPage>;
}

export interface QueuedPage {
  records: ActivationRecord[];
  /** Down to where it was looked; absent where that is all. */
  next?: WaitingPlace | undefined;
}

/** @param codeq a queue that cannot be asked has the records of what waits in the store */
export function createQueuedActivations(
  { lookup }: Pick<InvocationCodeQ, "lookup">,
  tier: string,
): QueuedActivations {
  const recordOf = ({ body, attempt }: Message<Invocation>): ActivationRecord =>
    new LiveActivation({ ...body, attempt }, body.ref.version ?? 0, tier).record();
  return {
    async get(tenant, activationId) {
      const message = await lookup?.find(TOPICS.invoke, tenant, activationId);
      return message === undefined ? undefined : recordOf(message);
    },
    async list(filter, below, limit) {
      if (lookup === undefined || (filter.status ?? "queued") !== "queued") return { records: [] };
      const { tenant, sinceMs = 0 } = filter;
      const { messages, next } = await lookup.waiting(
        TOPICS.invoke,
        { tenant, lane: laneOf(filter) },
        below,
        limit,
      );
      const records = messages
        // A call with a key has a record from the beginning.
        .filter(({ body }) => body.fingerprint === undefined)
        .map(recordOf)
        .filter((record) => passes(record, filter));
      return next === undefined || next.enqueued_at_ms < sinceMs ? { records } : { records, next };
    },
  };
}

/** No queue of its own: nothing waits here. */
export const NOTHING_QUEUED: QueuedActivations = {
  get: () => Promise.resolve(undefined),
  list: () => Promise.resolve({ records: [] }),
};

/** Of two records of one moment the one with the greater id counts as newer. */
export function newestFirst(a: ActivationRecord, b: ActivationRecord): number {
  return b.enqueued_at_ms - a.enqueued_at_ms || (a.activation_id < b.activation_id ? 1 : -1);
}

function laneOf({ namespace, function: name }: ActivationFilter): string | undefined {
  if (namespace === undefined) return undefined;
  return `${namespace}/${name ?? ""}`;
}

function passes(
  record: ActivationRecord,
  { namespace, function: name, trigger, sinceMs = 0 }: ActivationFilter,
) {
  return (
    (namespace ?? record.namespace) === record.namespace &&
    (name ?? record.function) === record.function &&
    (trigger ?? record.trigger.type) === record.trigger.type &&
    record.enqueued_at_ms >= sinceMs
  );
}
