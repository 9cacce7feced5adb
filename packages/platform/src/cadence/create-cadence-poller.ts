import { setTimeout as sleep } from "node:timers/promises";
import type { CadenceWorkerItem } from "@sous/contract";
import type { CodeQ } from "@sous/codeq";
import type { ResourceStore } from "@sous/store";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import type { HeartbeatMessage } from "../cadence-workers/heartbeat-message.ts";
import { allWorkers, mayTakeFrom } from "../cadence-workers/worker-records.ts";
import type { ActivityServer } from "./activity-server.ts";
import type { CadenceMeter } from "./cadence-meter.ts";
import type { CadencePoller } from "./cadence-poller.ts";
import { Gate } from "./gate.ts";
import { consumeHeartbeats } from "./heartbeat-consumer.ts";
import { createTaskBook } from "./task-book.ts";
import { createTaskKeeper } from "./task-keeper.ts";
import { createTaskTracker, type TaskTrackerOptions } from "./task-tracker.ts";
import { takeTask, type TakeTaskOptions } from "./take-task.ts";
import { startWorkerLoop } from "./worker-loop.ts";

export interface CadencePollerOptions
  extends
    Omit<TakeTaskOptions, "tracker" | "book" | "codeq" | "signal">,
    Pick<TaskTrackerOptions, "findActivation" | "heartbeatsPerSecond"> {
  server: ActivityServer;
  resources: ResourceStore;
  codeq: InvocationCodeQ;
  meter: CadenceMeter;
  /** Whose tasks a tenant may take, see `mayTakeFrom`. */
  domains: readonly string[];
  /** How often workers are read, milliseconds. */
  refreshMs: number;
  /** Whether other processes may look after tasks of the same store. */
  shared: boolean;
  onFault: (error: unknown) => void;
}

interface Running {
  worker: CadenceWorkerItem;
  loop: ReturnType<typeof startWorkerLoop>;
}

const keyOf = ({ tenant, namespace }: { tenant: string; namespace: string }, name: string): string =>
  `${tenant}/${namespace}/${name}`;

/** Counted anew from 1, the generation alone does not tell a worker from one that had its name before. */
const isSame = (
  now: CadenceWorkerItem | undefined,
  { generation, created_at_ms }: CadenceWorkerItem,
): boolean => now?.generation === generation && now.created_at_ms === created_at_ms;

/**
 * Makes the poller. Workers are read every `refreshMs`: new → started, changed → started again, paused or
 * deleted → stopped. A task goes on whatever becomes of its worker.
 */
export async function createCadencePoller(options: CadencePollerOptions): Promise<CadencePoller> {
  const { server, resources, codeq, refreshMs, onFault } = options;
  const closing = new AbortController();
  const replies = await codeq.openReplies();
  const book = createTaskBook(resources);
  const tracker = createTaskTracker({ ...options, book, replies });
  const take: TakeTaskOptions = { ...options, tracker, book, signal: closing.signal };
  const gates = new Map<string, Gate>();
  const running = new Map<string, Running>();
  let draining = false;

  function gateOf(key: string, max: number): Gate {
    let gate = gates.get(key);
    if (gate === undefined) gates.set(key, (gate = new Gate(max)));
    return gate;
  }

  function start(worker: CadenceWorkerItem): void {
    const key = keyOf(worker, worker.name);
    const gate = gateOf(key, worker.limits.max_inflight_tasks);
    gate.setMax(worker.limits.max_inflight_tasks);
    const loop = startWorkerLoop({
      ...options,
      worker,
      gate,
      take: (task, release) => void takeTask(take, worker, task, release).catch(onFault),
    });
    running.set(key, { worker, loop });
  }

  /** Polls that are open are given up; the server hands their tasks to nobody. */
  function stop(key: string): void {
    running.get(key)?.loop.stop().catch(onFault);
    running.delete(key);
  }

  /** Asked again here: the operator may have changed his mind since it was made. */
  const mayPoll = ({ enabled, tenant, domain }: CadenceWorkerItem): boolean =>
    enabled && mayTakeFrom(options.domains, tenant, domain);

  async function refresh(): Promise<void> {
    const workers = await allWorkers(resources);
    if (draining) return;
    const wanted = new Map(workers.filter(mayPoll).map((each) => [keyOf(each, each.name), each]));
    for (const [key, { worker }] of running) if (!isSame(wanted.get(key), worker)) stop(key);
    for (const [key, worker] of wanted) if (!running.has(key)) start(worker);
    for (const [key, gate] of gates) if (gate.inUse === 0 && !running.has(key)) gates.delete(key);
  }

  const keeper = createTaskKeeper({
    ...take,
    shared: options.shared,
    place(entry) {
      const gate = gateOf(keyOf(entry, entry.worker), 1);
      gate.take();
      return () => gate.release();
    },
    onFault,
  });
  const heartbeats = await consumeHeartbeats({
    tracker,
    codeq: codeq as unknown as CodeQ<HeartbeatMessage, unknown>,
    onFault,
  });

  let wake: () => void = () => {};
  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = setTimeout(resolve, refreshMs).unref();
      // Apart: an entry that cannot be read must not keep workers from polling.
      await keeper.adopt().catch(onFault);
      // Those of tasks that were taken up may wait already.
      heartbeats.wake();
      await refresh().catch(onFault);
      await promise;
      clearTimeout(timer);
    }
  }
  const ended = run();

  return {
    wake: () => wake(),
    get figures() {
      return { inflight: tracker.size, workers: running.size };
    },
    async drain(timeoutMs) {
      draining = true;
      for (const key of running.keys()) stop(key);
      const untilMs = performance.now() + timeoutMs;
      while (tracker.size > 0 && performance.now() < untilMs) await sleep(20);
    },
    async [Symbol.asyncDispose]() {
      draining = true;
      closing.abort();
      wake();
      for (const key of running.keys()) stop(key);
      await ended;
      await heartbeats.close();
      await keeper[Symbol.asyncDispose]();
      await tracker[Symbol.asyncDispose]();
      await replies[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
