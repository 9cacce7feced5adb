import { type Limits, PlatformError } from "@sous/contract";
import type { Store } from "@sous/store";
import type { Config } from "../config/config-schema.ts";
import { createScheduler } from "../scheduler/create-scheduler.ts";
import type { Leadership } from "../scheduler/leadership.ts";
import type { Scheduler, SchedulerMeter } from "../scheduler/scheduler.ts";
import type { SetTimer } from "../scheduler/set-timer.ts";
import { createRunSubmitter, type RunSubmitter } from "../schedules/submit-run.ts";
import type { Timing } from "../schedules/timing.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Core } from "./open-core.ts";
import { openLeadership } from "./open-leadership.ts";

export interface OpenSchedulerOptions {
  config: Pick<Config, "leader" | "kubernetes">;
  store: Store;
  runs: RunSubmitter;
  timing: Timing;
  metrics: Metrics;
  logger: Logger;
  now: () => number;
  onFault: (error: unknown) => void;
}

/** @returns what turns ticks, and wishes to run a schedule now, into work */
export function openRunSubmitter(
  { store, codeq, catalog, tier }: Core,
  limits: Limits,
  clock: () => number,
): RunSubmitter {
  return createRunSubmitter({
    codeq,
    activations: store.activations,
    catalog,
    limits,
    tier,
    clock,
  });
}

/** Starts the scheduler of a process, with the leadership its settings name. */
export async function openScheduler(options: OpenSchedulerOptions): Promise<Scheduler> {
  const { config, store, runs, timing, metrics, logger, now, onFault } = options;
  const { schedules, leases } = store;
  const monotonic = (): number => performance.now();
  const leadership = await openLeadership({ config, leases, now, monotonic, setTimer, onFault });
  observeLeadership(metrics, leadership);
  const scheduler = createScheduler({
    schedules,
    activations: store.activations,
    submitter: runs,
    leadership,
    timing,
    meter: createSchedulerMeter(metrics, logger),
    clock: now,
    monotonic,
    setTimer,
    onFault,
  });
  return {
    wake: () => scheduler.wake(),
    async [Symbol.asyncDispose]() {
      // The lease last: another may begin only when this one has done its last write.
      await scheduler[Symbol.asyncDispose]();
      await leadership[Symbol.asyncDispose]();
    },
  };
}

/** An idle scheduler does not keep the process alive. */
const setTimer: SetTimer = (run, delayMs) => {
  const timer = setTimeout(run, delayMs).unref();
  return () => clearTimeout(timer);
};

function observeLeadership(metrics: Metrics, leadership: Leadership): void {
  const isLeader = (): number => (leadership.term() === undefined ? 0 : 1);
  metrics.gauge("cs_scheduler_leader", "Whether this process publishes ticks", [], () => [
    { labels: {}, value: isLeader() },
  ]);
}

function createSchedulerMeter(metrics: Metrics, logger: Logger): SchedulerMeter {
  const names = ["tenant", "namespace", "schedule"] as const;
  const ticks = metrics.counter("cs_scheduler_ticks_total", "Ticks that became an activation", names, names);
  const refused = metrics
    .counter("cs_scheduler_ticks_refused_total", "Ticks that may not or cannot run; each has a record", [])
    .child({});
  const leftOut = metrics.counter("cs_scheduler_ticks_left_out_total", "Ticks that were left out", [
    "reason",
  ]);
  const errors = metrics
    .counter(
      "cs_scheduler_publish_errors_total",
      "Ticks that could not be published, and are tried again",
      [],
    )
    .child({});
  const lag = metrics
    .histogram("cs_scheduler_lag_ms", "Time from when a tick is due until it is queued", [])
    .child({});
  return {
    published({ tenant, namespace, name }, lagMs) {
      ticks.child({ tenant, namespace, schedule: name }).value += 1;
      lag.observe(Math.max(0, lagMs));
    },
    refused: () => void (refused.value += 1),
    leftOut: (_schedule, reason, count) => void (leftOut.child({ reason }).value += count),
    publishFailed({ tenant, namespace, name }, error) {
      errors.value += 1;
      logger.warn({ tenant, namespace, schedule: name, error }, "a tick could not be published");
    },
    stateLost({ tenant, namespace, name }, cause) {
      const message = `the state of schedule ${name} could not be written; its tick is published again`;
      const error = new PlatformError("CS_SCHEDULER_STATE_WRITE_FAILED", message, { cause });
      logger.error({ tenant, namespace, schedule: name, error }, "a schedule's state could not be written");
    },
  };
}
