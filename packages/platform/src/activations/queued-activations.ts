import { type ActivationRecord, TOPICS } from "@sous/contract";
import type { ActivationFilter } from "@sous/store";
import type { InvocationCodeQ } from "./invocation-queue.ts";
import { LiveActivation } from "./live-activation.ts";

/**
 * Activations that wait in a queue this process holds itself. They have no record in the store before they start: the
 * message says all there is, and writing it twice would cost an accepted call half as much again.
 */
export interface QueuedActivations {
  get(tenant: string, activationId: string): ActivationRecord | undefined;
  /** Those that pass the filter, newest first. */
  list(filter: ActivationFilter): ActivationRecord[];
}

/** @param codeq a queue that holds its messages elsewhere has their records in the store */
export function createQueuedActivations(
  { held }: Pick<InvocationCodeQ, "held">,
  tier: string,
): QueuedActivations {
  const recordOf = ({ body, attempt }: NonNullable<ReturnType<NonNullable<typeof held>["find"]>>) =>
    new LiveActivation({ ...body, attempt }, body.ref.version ?? 0, tier).record();
  return {
    get(tenant, activationId) {
      const message = held?.find(activationId);
      return message === undefined || message.tenant !== tenant || message.body.mode !== "async"
        ? undefined
        : recordOf(message);
    },
    list(filter) {
      if (held === undefined || (filter.status ?? "queued") !== "queued") return [];
      const records: ActivationRecord[] = [];
      for (const message of held.waiting(TOPICS.invoke, filter.tenant)) {
        const { body, attempt } = message;
        // Later attempts, and calls with a key, have a record.
        if (body.mode !== "async" || attempt > 1 || body.fingerprint !== undefined) continue;
        const record = recordOf(message);
        if (passes(record, filter)) records.push(record);
      }
      return records.toSorted(newestFirst);
    },
  };
}

/** No queue of its own: nothing waits here. */
export const NOTHING_QUEUED: QueuedActivations = { get: () => undefined, list: () => [] };

/** Of two records of one moment the one with the greater id counts as newer. */
export function newestFirst(a: ActivationRecord, b: ActivationRecord): number {
  return b.enqueued_at_ms - a.enqueued_at_ms || (a.activation_id < b.activation_id ? 1 : -1);
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
