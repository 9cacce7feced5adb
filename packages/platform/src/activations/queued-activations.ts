import type { FoundMessage, Message, MessagePlace } from "@sous/codeq";
import { type ActivationRecord, type Invocation, TOPICS } from "@sous/contract";
import type { ActivationFilter, Store } from "@sous/store";
import type { InvocationCodeQ } from "./invocation-queue.ts";
import { LiveActivation } from "./live-activation.ts";

/**
 * Activations that lie in a queue that can be asked. They have no record in the store before they start: the message
 * says all there is, and writing it twice would cost an accepted call half as much again.
 */
export interface QueuedActivations {
  get(tenant: string, activationId: string): Promise<ActivationRecord | undefined>;
  /**
   * Those that pass the filter, newest first.
   * @param below only what is older, `undefined` for all
   */
  list(filter: ActivationFilter, below: MessagePlace | undefined, limit: number): Promise<QueuedPage>;
}

export interface QueuedPage {
  records: ActivationRecord[];
  /** Down to where it was looked; absent where that is all. */
  next?: MessagePlace | undefined;
}

export interface QueuedActivationsOptions {
  /** One that cannot be asked has the records of what waits in the store. */
  codeq: Pick<InvocationCodeQ, "lookup">;
  activations: Pick<Store["activations"], "get">;
  tier: string;
}

/** Pages of the queue that may be passed over for one with something in it. */
const EMPTY_PAGES_MAX = 4;

export function createQueuedActivations(options: QueuedActivationsOptions): QueuedActivations {
  const { codeq, activations, tier } = options;
  const { lookup } = codeq;
  const recordOf = ({ body, attempt }: Message<Invocation>): ActivationRecord =>
    new LiveActivation({ ...body, attempt }, body.ref.version ?? 0, tier).record();

  /** What was delivered before has a record, unless whoever took it came to an end before it was written. */
  async function standing({ message, wasDelivered }: FoundMessage<Invocation>): Promise<ActivationRecord> {
    const stored = wasDelivered ? await activations.get(message.tenant, message.id) : undefined;
    return stored ?? recordOf(message);
  }

  return {
    async get(tenant, activationId) {
      const message = await lookup?.find(TOPICS.invoke, tenant, activationId);
      return message === undefined ? undefined : recordOf(message);
    },
    async list(filter, below, limit) {
      if (lookup === undefined || (filter.status ?? "queued") !== "queued") return { records: [] };
      const { tenant, sinceMs = 0 } = filter;
      const lane = laneOf(filter);
      let next = below;
      // An empty page would say to most who ask for one that nothing waits.
      for (let pages = 0; pages < EMPTY_PAGES_MAX; pages++) {
        const page = await lookup.newest(TOPICS.invoke, { tenant, lane }, next, limit);
        // A call with a key has a record from the beginning.
        const found = page.found.filter(({ message }) => message.body.fingerprint === undefined);
        const records = (await Promise.all(found.map(standing))).filter((record) => passes(record, filter));
        ({ next } = page);
        if (next === undefined || next.enqueued_at_ms < sinceMs) return { records };
        if (records.length > 0) return { records, next };
      }
      return { records: [], next };
    },
  };
}

/** No queue that can be asked. */
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

function passes(record: ActivationRecord, filter: ActivationFilter): boolean {
  const { namespace, function: name, trigger, status, sinceMs = 0 } = filter;
  return (
    (namespace ?? record.namespace) === record.namespace &&
    (name ?? record.function) === record.function &&
    (trigger ?? record.trigger.type) === record.trigger.type &&
    (status ?? record.status) === record.status &&
    record.enqueued_at_ms >= sinceMs
  );
}
