import { createMemoryCodeQ, type CodeQ, type Consumer, type Delivery } from "@sous/codeq";
import { createMapJournal } from "@sous/codeq/contract";
import { type ActivationRecord, type Invocation, isTerminal, PlatformError } from "@sous/contract";
import type { ActivationStore, TerminalRecord } from "@sous/store";
import type { InvocationReply } from "../../packages/platform/src/activations/invocation-reply.ts";
import type { Faults, VirtualProcess } from "./virtual-process.ts";
import { createVirtualTime, type VirtualTime } from "./virtual-time.ts";

type Queue = CodeQ<Invocation, InvocationReply>;

/** Calls carry where their end is told; so do these ticks. */
const TOLD = { on_success: { topic: "ended" }, on_failure: { topic: "ended" } };

/** One start of a handler. */
export interface Started {
  attempt: number;
  /** By the monotonic clock. */
  atMs: number;
}

/** What a cluster has in common: the queue's server, the records, and what the outside saw. */
export interface WorkWorld {
  time: VirtualTime;
  random: () => number;
  faults: Faults;
  queue: Queue;
  /** Whether it can be asked what it holds, as some servers can: then work has its first record when it starts. */
  canLookUp: boolean;
  records: Records;
  started: Map<string, Started[]>;
  told: Map<string, TerminalRecord[]>;
}

export async function createWorkWorld(random: () => number, startMs: number): Promise<WorkWorld> {
  const time = createVirtualTime(startMs);
  const queue = await createMemoryCodeQ<Invocation, InvocationReply>({
    clock: time.wall,
    setTimer: time.setTimer,
    journal: createMapJournal(),
  });
  return {
    time,
    random,
    faults: { lost: 0, late: 0 },
    queue,
    canLookUp: random() < 0.5,
    records: new Records(time.monotonic),
    started: new Map(),
    told: new Map(),
  };
}

/** Records of activations, with the comparisons of the store's contract. */
export class Records implements Pick<ActivationStore, "create" | "update" | "finish" | "get"> {
  readonly all = new Map<string, ActivationRecord>();
  /** Each write that made a record terminal, and when. */
  readonly ends = new Map<string, { record: TerminalRecord; atMs: number }[]>();
  readonly #monotonic: () => number;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  async create(record: ActivationRecord): Promise<void> {
    if (this.all.has(record.activation_id)) throw new PlatformError("CS_CONFLICT", "it exists");
    this.all.set(record.activation_id, structuredClone(record));
  }

  async update(record: ActivationRecord): Promise<boolean> {
    const { activation_id: id, attempt } = record;
    const stored = this.all.get(id);
    if (stored === undefined || isTerminal(stored.status) || stored.attempt > attempt) return false;
    this.all.set(id, structuredClone(record));
    return true;
  }

  async finish(record: TerminalRecord): Promise<boolean> {
    const { activation_id: id, attempt } = record;
    const stored = this.all.get(id);
    if (stored !== undefined && (isTerminal(stored.status) || stored.attempt > attempt)) return false;
    this.all.set(id, structuredClone(record));
    this.ends.set(id, [...(this.ends.get(id) ?? []), { record, atMs: this.#monotonic() }]);
    return true;
  }

  async get(_tenant: string, id: string): Promise<ActivationRecord | undefined> {
    return structuredClone(this.all.get(id));
  }
}

/** The queue as a process far away has it: copies of messages, late, and nothing while it stands still. */
export function queueOf(process: VirtualProcess, { queue, canLookUp, random, faults }: WorkWorld): Queue {
  const lost = (): boolean => random() < faults.lost;
  const far = process.through<Pick<Queue, "publish">>(queue);
  const consume = async (consumer: Consumer<Invocation>) => {
    let coming = 0;
    return await queue.consume({
      topic: consumer.topic,
      leaseMs: consumer.leaseMs,
      capacity: () => (process.isPaused ? 0 : consumer.capacity() - coming),
      accepts: (message) => consumer.accepts(message),
      deliver(delivery) {
        // The claim was carried out and its answer is lost: the lease brings the message back.
        if (lost()) return;
        coming++;
        const claim = farDelivery(process, delivery);
        void process.arrives().then(() => {
          coming--;
          consumer.deliver(claim);
        });
      },
      async onExpired(message) {
        await process.arrives();
        return await consumer.onExpired(structuredClone(message));
      },
    });
  };
  const { lookup } = queue;
  return {
    isShared: true,
    ...(canLookUp && lookup !== undefined ? { lookup: process.through(lookup) } : {}),
    consume,
    publish: (message, options) =>
      far.publish({ ...message, body: { ...structuredClone(message.body), destinations: TOLD } }, options),
    reply: () => true,
  } as Partial<Queue> as Queue;
}

function farDelivery(process: VirtualProcess, delivery: Delivery<Invocation>): Delivery<Invocation> {
  const far = process.through(delivery);
  const message = structuredClone(delivery.message);
  let { leaseUntilMs } = delivery;
  return {
    message,
    get leaseUntilMs() {
      return leaseUntilMs;
    },
    async extend(leaseMs) {
      const untilMs = process.clock() + leaseMs;
      const held = await far.extend(leaseMs);
      if (held) leaseUntilMs = untilMs;
      return held;
    },
    ack: () => far.ack(),
    nack: (delayMs) => far.nack(delayMs),
    release: () => far.release(),
    deadLetter: (reason) => far.deadLetter(reason),
  };
}
