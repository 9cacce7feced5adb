import type { Delivery, Message, SetTimer, Subscription } from "@sous/codeq";
import { type Invocation, TOPICS } from "@sous/contract";
import { SlotList } from "../activations/slot-list.ts";
import { type ClaimedPlace, createClaimWindow } from "./claim-window.ts";
import { createExpiry } from "./expiry.ts";
import type { Invoker, InvokerOptions } from "./invoker.ts";
import { createRecordWriter } from "./record-writer.ts";
import { Run, type RunOptions } from "./run.ts";
import { createUnwritten } from "./unwritten.ts";

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
  const { codeq, live, limits, now, store, meter, fleet, catalog } = options;
  const { setTimer = unrefTimer } = options;
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
    heldMax: 2 * (limits.unwrittenEndsMax + limits.inflightMax),
    isOneTransaction: !codeq.isShared,
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

  const endExpired = createExpiry({ ...options, records, unwritten });

  async function consume(topic: string): Promise<() => Promise<void>> {
    const subscription = await codeq.consume({
      topic,
      leaseMs,
      // How many fit is the function's to say, and it is not known before its first message.
      slowStart: 1,
      capacity: () => (draining || unwritten.isFull ? 0 : limits.inflightMax - claimed.size),
      accepts: (message) => window.accepts(message),
      deliver(delivery) {
        const slot = claimed.add(delivery);
        const place = window.take(delivery.message);
        new Run(runOptions, delivery, () => release(delivery, slot, place)).begin();
      },
      onExpired: endExpired,
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
    const untilMs = performance.now() + timeoutMs;
    draining = true;
    await Promise.all([...subscriptions].map((subscription) => subscription.close()));
    if (claimed.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      drained = resolve;
      const timer = setTimeout(resolve, timeoutMs);
      await promise;
      clearTimeout(timer);
    }
    // A store that is away may be back in time for what was answered.
    const leftMs = untilMs - performance.now();
    if (leftMs > 0) await unwritten.settled(leftMs);
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
