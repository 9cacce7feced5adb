import type { Delivery, Message } from "@sous/codeq";
import { type FunctionErrorType, type Invocation, TOPICS } from "@sous/contract";
import { LiveActivation } from "../activations/live-activation.ts";
import { replyOf } from "../activations/invocation-reply.ts";
import type { Invoker, InvokerOptions } from "./invoker.ts";
import { Run } from "./run.ts";

const LEASE_MS = 60_000;
/** Activations handed to a sandbox before it has a free isolate: they wait there, in order. */
const WINDOW = 64;

/**
 * The invoker: consumes the queue within two bounds, `inflightMax` for this process and a window for each
 * version, and runs what it takes. The sandbox keeps a version's own bound on concurrency.
 */
export async function createInvoker(options: InvokerOptions): Promise<Invoker> {
  const { codeq, live, limits, now, store, meter, fleet } = options;
  const windows = new Map<string, number>();
  const claimed = new Set<Delivery<Invocation>>();
  let draining = false;
  let drained: (() => void) | undefined;

  const laneOf = (message: Message<Invocation>): string =>
    `${message.tenant}/${message.lane}@${message.body.ref.version ?? 0}`;

  function release(delivery: Delivery<Invocation>, lane: string): void {
    const full = claimed.size >= limits.inflightMax;
    if (!claimed.delete(delivery)) return;
    const left = (windows.get(lane) ?? 1) - 1;
    if (left === 0) windows.delete(lane);
    else windows.set(lane, left);
    if (draining) {
      if (claimed.size === 0) drained?.();
    } else if (full) subscription.wake();
    else if (left === WINDOW - 1) subscription.wake(delivery.message);
  }

  function onExpired(message: Message<Invocation>): void {
    const { body } = message;
    const late = body.mode === "sync" && now() >= body.deadline_ms;
    const type: FunctionErrorType = late ? "Timeout" : "Expired";
    const activation = new LiveActivation(body, body.ref.version ?? 0, fleet.tier);
    const record = activation.terminal(
      {
        status: late ? "timeout" : "error",
        error: { type, message: "the work waited in the queue for too long" },
        cold: false,
        coldReason: "none",
        timings: { placementMs: 0, bootMs: 0, initMs: 0, handlerMs: 0, hostCallsMs: 0 },
        cpuMs: 0,
        memoryPeakBytes: 0,
        started: false,
      },
      now(),
    );
    if (body.reply_to !== undefined) codeq.reply(body.reply_to, body.request_id, replyOf(record, false));
    store.activations.finish(record).catch((error: unknown) => meter.recordLost(body.activation_id, error));
  }

  const subscription = await codeq.consume({
    topic: TOPICS.invoke,
    leaseMs: LEASE_MS,
    capacity: () => (draining ? 0 : limits.inflightMax - claimed.size),
    accepts: (message) => (windows.get(laneOf(message)) ?? 0) < WINDOW,
    deliver(delivery) {
      const lane = laneOf(delivery.message);
      claimed.add(delivery);
      windows.set(lane, (windows.get(lane) ?? 0) + 1);
      new Run(options, delivery, () => release(delivery, lane)).begin();
    },
    onExpired,
  });

  // Work that runs for longer than a lease keeps it.
  const keeper = setInterval(() => {
    for (const delivery of claimed) {
      if (delivery.leaseUntilMs - now() < LEASE_MS / 2) delivery.extend(LEASE_MS).catch(() => {});
    }
  }, LEASE_MS / 4);
  keeper.unref();

  live.onCancel((activation) =>
    fleet.cancel(activation.invocation.tenant, activation.invocation.activation_id),
  );

  async function drain(timeoutMs: number): Promise<void> {
    draining = true;
    await subscription.close();
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
    drain,
    async [Symbol.asyncDispose]() {
      await drain(0);
      clearInterval(keeper);
    },
  };
}
