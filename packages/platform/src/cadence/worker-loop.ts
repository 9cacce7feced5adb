import { setTimeout as sleep } from "node:timers/promises";
import type { CadenceWorkerRecord } from "@sous/contract";
import type { ActivityServer, ActivityTask } from "./activity-server.ts";
import { backoffMs } from "./backoff.ts";
import type { CadenceMeter } from "./cadence-meter.ts";
import type { Gate } from "./gate.ts";

export interface WorkerLoopOptions {
  worker: CadenceWorkerRecord;
  server: ActivityServer;
  /** Every poll holds a place, and hands it to the task it brings. */
  gate: Gate;
  take: (task: ActivityTask, release: () => void) => void;
  meter: CadenceMeter;
  random: () => number;
}

const TRY_CEILING_MS = 30_000;
/** A poll that brings nothing lasts up to a minute; from a server that answers at once it is not repeated at once. */
const EMPTY_POLL_MS = 500;

/** Polls for one worker until it is stopped. Never throws: a server that is away is asked again, ever less often. */
export function startWorkerLoop(options: WorkerLoopOptions): { stop(): Promise<void> } {
  const { worker, server, gate, take, meter, random } = options;
  const { domain, tasklist: name, worker_id: identity, tenant } = worker;
  const labels = { tenant, domain, tasklist: name };
  const stopping = new AbortController();
  const { signal } = stopping;
  const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal }).catch(() => {});

  /** @returns whether the server answered */
  async function pollOnce(): Promise<boolean> {
    const begunMs = performance.now();
    let task: ActivityTask | undefined;
    try {
      task = await server.poll({ domain, name, identity }, signal);
    } catch (error) {
      gate.release();
      if (signal.aborted) return true;
      meter.polled(labels, "error");
      meter.fault("CS_CADENCE_POLL_FAILED", error);
      return false;
    }
    if (task !== undefined) {
      meter.polled(labels, "task");
      take(
        task,
        once(() => gate.release()),
      );
      return true;
    }
    gate.release();
    if (signal.aborted) return true;
    meter.polled(labels, "empty");
    if (performance.now() - begunMs < EMPTY_POLL_MS) await pause(EMPTY_POLL_MS);
    return true;
  }

  async function poller(): Promise<void> {
    let faults = 0;
    while (await gate.acquire(signal)) {
      if (await pollOnce()) faults = 0;
      else await pause(backoffMs(faults++, TRY_CEILING_MS, random));
    }
  }

  const pollers = Array.from({ length: worker.pollers.activity }, poller);
  return {
    async stop() {
      stopping.abort();
      await Promise.all(pollers);
    },
  };
}

function once(run: () => void): () => void {
  let done = false;
  return () => {
    if (!done) run();
    done = true;
  };
}
