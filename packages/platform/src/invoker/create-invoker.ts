import type { Delivery, Message, SetTimer, Subscription } from "@sous/codeq";
import { type ActivationRecord, type FunctionErrorType, type Invocation, TOPICS } from "@sous/contract";
import type { TerminalRecord } from "@sous/store";
import { LiveActivation } from "../activations/live-activation.ts";
import { SlotList } from "../activations/slot-list.ts";
import { replyOf } from "../activations/invocation-reply.ts";
import { type ClaimedPlace, createClaimWindow } from "./claim-window.ts";
import type { Invoker, InvokerOptions } from "./invoker.ts";
import { createRecordWriter } from "./record-writer.ts";
import { Run, type RunOptions } from "./run.ts";
import { createUnwritten } from "./unwritten.ts";
import { unrun } from "./unrun.ts";

const unrefTimer: SetTimer = (run, delayMs) => {
  const timer = setTimeout(run, delayMs).unref();
  return () => clearTimeout(timer);
};

/** Less would be lost to a slow round trip. */
const LEASE_MIN_MS = 1000;

/**
 * The invoker: consumes the queue within two bounds, `inflightMax` for this process and a window for each
 * version, and runs what it takes. The sandbox keeps a version's own bound on concurrency.
 */
export async function createInvoker(options: InvokerOptions): Promise<Invoker> {
  const leaseMs = Math.max(LEASE_MIN_MS, options.limits.invocationLeaseMs);
  const { codeq, live, limits, now, store, meter, fleet, catalog, destinations } = options;
  const { setTimer = unrefTimer } = options;
  const done = (): Promise<void> => Promise.resolve();
  const claimed = new SlotList<Delivery<Invocation>>();
  /** Ended here, and not yet in the store: nobody else is to take them. */
  const ending = new Set<Delivery<Invocation>>();
  /** What gives back work that could not begin, before its time. */
  const putOff = new Set<() => void>();
  const subscriptions = new Set<Subscription>();
  let draining = false;
  let stopping = false;
  let drained: (() => void) | undefined;

  const unwritten = createUnwritten({
    endsMax: limits.unwrittenEndsMax,
    onRoom: () => wake(),
  });
  const records = createRecordWriter({
    store,
    live,
    unwritten,
    setTimer,
    isOneTransaction: codeq.held !== undefined,
    onLost: (record, error) => meter.recordLost(record.activation_id, error),
  });
  const runOptions: RunOptions = {
    ...options,
    records,
    startedMs: now(),
    stopping: () => stopping,
    keepLease(delivery) {
      ending.add(delivery);
      return () => void ending.delete(delivery);
    },
    giveBack(delivery, afterMs) {
      ending.add(delivery);
      let stopTimer = (): void => {};
      const giveBack = (): void => {
        stopTimer();
        putOff.delete(giveBack);
        void delivery
          .release()
          .catch(() => {})
          .finally(() => ending.delete(delivery));
      };
      if (afterMs === 0 || draining) {
        giveBack();
        return;
      }
      putOff.add(giveBack);
      stopTimer = setTimer(giveBack, afterMs);
    },
  };
  const window = createClaimWindow({ catalog, hasRoom: (tenant) => fleet.hasRoom(tenant), wake });

  function wake(lane?: Pick<Message<Invocation>, "tenant" | "lane">): void {
    if (draining) return;
    for (const subscription of subscriptions) subscription.wake(lane);
  }

  function release(delivery: Delivery<Invocation>, slot: number, place: ClaimedPlace): void {
    const full = claimed.size >= limits.inflightMax;
    if (!claimed.delete(slot, delivery)) return;
    window.giveBack(place, delivery.message);
    if (draining) {
      if (claimed.size === 0) drained?.();
    } else if (full) wake();
  }

  async function onExpired({ body, attempt }: Message<Invocation>): Promise<void> {
    const sync = body.mode === "sync";
    const late = sync && now() >= body.deadline_ms;
    // A lease that was lost counts as an attempt: somebody had begun it, and is gone.
    const type: FunctionErrorType = sync && attempt > 1 ? "SandboxCrashed" : late ? "Timeout" : "Expired";
    const activation = new LiveActivation({ ...body, attempt }, body.ref.version ?? 0, fleet.tier);
    // It is in the queue no more and not in the store yet: readers find it here.
    if (body.mode === "async") live.add(activation);
    const message =
      type === "SandboxCrashed"
        ? "the process that ran it ended, or could not be reached any more"
        : "the work waited in the queue for too long";
    const outcome = unrun({ type, message });
    const tell = (ended: TerminalRecord): Promise<void> =>
      body.destinations === undefined ? done() : destinations.send(activation.invocation, ended, done);
    // At once where the message leaves the journal within this tick; elsewhere when the record stands.
    const told = codeq.held === undefined ? undefined : tell(activation.terminal(outcome, now()));
    told?.catch(() => {});
    if (attempt > 1) {
      const before = await store.activations.get(body.tenant, body.activation_id).catch(() => undefined);
      activation.earlier = before?.attempts ?? [];
    }
    const record = activation.terminal(outcome, now());
    if (body.reply_to !== undefined) codeq.reply(body.reply_to, body.activation_id, replyOf(record, false));
    // "Too much to do" is not the answer of a key: the same request may run later.
    if (type === "Expired" && sync && (body.fingerprint !== undefined || unwritten.isFull)) return;
    const remove = (recorded: ActivationRecord): Promise<void> =>
      told ?? (recorded === record ? tell(record) : done());
    records.finish({ activation, record, isContested: attempt > 1, remove });
  }

  async function consume(topic: string): Promise<() => Promise<void>> {
    const subscription = await codeq.consume({
      topic,
      leaseMs,
      capacity: () => (draining || unwritten.isFull ? 0 : limits.inflightMax - claimed.size),
      accepts: (message) => window.accepts(message),
      deliver(delivery) {
        const slot = claimed.add(delivery);
        const place = window.take(delivery.message);
        new Run(runOptions, delivery, () => release(delivery, slot, place)).begin();
      },
      // A store that does not take the record now gets it again: the writer keeps it.
      onExpired: (message) => void onExpired(message).catch(() => {}),
    });
    subscriptions.add(subscription);
    return async () => {
      subscriptions.delete(subscription);
      await subscription.close();
    };
  }
  await consume(TOPICS.invoke);

  // Work that runs for longer than a lease keeps it.
  let stopKeeper: () => void;
  function keepLeases(): void {
    for (const delivery of [...claimed, ...ending]) {
      if (delivery.leaseUntilMs - now() < leaseMs / 2) delivery.extend(leaseMs).catch(() => {});
    }
    stopKeeper = setTimer(keepLeases, leaseMs / 4);
  }
  keepLeases();

  live.onCancel((activation) =>
    fleet.cancel(activation.invocation.tenant, activation.invocation.activation_id),
  );

  async function drain(timeoutMs: number): Promise<void> {
    draining = true;
    await Promise.all([...subscriptions].map((subscription) => subscription.close()));
    if (claimed.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    drained = resolve;
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
  }

  return {
    get inflight() {
      return claimed.size;
    },
    consume,
    drain,
    async [Symbol.asyncDispose]() {
      stopping = true;
      await drain(0);
      for (const giveBack of putOff) giveBack();
      stopKeeper();
      // What still runs ends now, and its records and hand-backs are written below.
      await fleet[Symbol.asyncDispose]();
      await records[Symbol.asyncDispose]();
    },
  };
}
