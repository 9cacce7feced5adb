import { type ActivationRecord, type Limits, PlatformError } from "@sous/contract";
import { createCancelRequests } from "../activations/cancellations.ts";
import { createQueuedActivations } from "../activations/queued-activations.ts";
import type { CadenceMeter, QueueLabels } from "../cadence/cadence-meter.ts";
import type { CadencePoller } from "../cadence/cadence-poller.ts";
import { hasCadenceWork } from "../cadence-workers/worker-records.ts";
import type { Config } from "../config/config-schema.ts";
import { cancelActivation } from "../control/cancel-activation.ts";
import { findActivation } from "../control/find-activation.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { isEmbedded } from "./open-codeq.ts";
import type { Core } from "./open-core.ts";

export interface OpenCadenceOptions {
  config: Pick<Config, "codeq" | "cadence" | "cadence_token" | "cadence_domains" | "cadence_refresh_seconds">;
  limits: Limits;
  core: Core;
  metrics: Metrics;
  logger: Logger;
  now: () => number;
  onFault: (error: unknown) => void;
}

/** The role `cadence` of a process. */
export interface Cadence extends AsyncDisposable {
  /** Says that workers changed. */
  wake(): void;
  /** Takes no more tasks. */
  stop(): Promise<void>;
  /** Waits until what was taken is answered, at most so long. */
  drain(timeoutMs: number): Promise<void>;
}

const CLIENT_VERSION = "0.1.0";

/** Starts the role; until there is a worker, or a task that is not answered, nothing of it is loaded. */
export function openCadence(options: OpenCadenceOptions): Cadence {
  const { config, core, onFault } = options;
  const refreshMs = config.cadence_refresh_seconds * 1000;
  const meter = createCadenceMeter(options.metrics, options.logger);
  let poller: CadencePoller | undefined;
  let starting: Promise<void> | undefined;
  let stopped = config.cadence === "none";
  observeCadence(options.metrics, () => poller?.figures ?? { inflight: 0, workers: 0 });

  async function startIfNeeded(): Promise<void> {
    if (stopped || poller !== undefined || !(await hasCadenceWork(core.store.resources))) return;
    poller = await startPoller(options, meter, refreshMs);
  }
  const wake = (): void => {
    if (poller !== undefined) poller.wake();
    else {
      starting ??= startIfNeeded()
        .catch(onFault)
        .finally(() => (starting = undefined));
    }
  };
  const timer = stopped ? undefined : setInterval(wake, refreshMs).unref();
  if (!stopped) wake();

  const stop = async (): Promise<void> => {
    stopped = true;
    clearInterval(timer);
    await starting;
    await poller?.drain(0);
  };
  return {
    // A change that comes while it is being looked for is seen by the next look.
    wake: () => void (starting ?? Promise.resolve()).then(wake),
    stop,
    async drain(timeoutMs) {
      await poller?.drain(timeoutMs);
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await poller?.[Symbol.asyncDispose]();
    },
  };
}

async function startPoller(
  options: OpenCadenceOptions,
  meter: CadenceMeter,
  refreshMs: number,
): Promise<CadencePoller> {
  const { config, limits, core, now } = options;
  const { store, codeq, catalog, live, tier } = core;
  const [{ createCadencePoller }, { createCadenceServer }] = await Promise.all([
    import("../cadence/create-cadence-poller.ts"),
    import("../cadence/grpc/cadence-server.ts"),
  ]);
  const shared = !isEmbedded(config.codeq);
  const context = {
    live,
    codeq,
    store,
    clock: now,
    queued: createQueuedActivations({ codeq, activations: store.activations, tier }),
    cancellations: shared ? createCancelRequests({ kv: store.kv, now }) : undefined,
  };
  return createCadencePoller({
    ...options,
    server: createCadenceServer({
      url: config.cadence,
      token: config.cadence_token,
      clientVersion: CLIENT_VERSION,
    }),
    resources: store.resources,
    domains: config.cadence_domains,
    activations: store.activations,
    codeq,
    catalog,
    tier,
    store,
    shared,
    inputBytesMax: limits.cadenceInputBytesMax,
    asyncDepthMax: limits.asyncDepthMax,
    heartbeatsPerSecond: limits.cadenceHeartbeatsPerSecond,
    async cancel(tenant, activationId) {
      await cancelActivation(context, tenant, activationId);
    },
    findActivation: (tenant, id) => findActivation(context, tenant, id).catch(noneIfMissing),
    meter,
    refreshMs,
    clock: now,
    random: Math.random,
  });
}

function noneIfMissing(error: unknown): ActivationRecord | undefined {
  if (error instanceof PlatformError && error.code === "CS_NOT_FOUND") return undefined;
  throw error;
}

function observeCadence(metrics: Metrics, figures: () => CadencePoller["figures"]): void {
  metrics.gauge("cs_cadence_inflight", "Activities of Cadence that are not answered yet", [], () => [
    { labels: {}, value: figures().inflight },
  ]);
  metrics.gauge("cs_cadence_workers", "Cadence workers this process polls for", [], () => [
    { labels: {}, value: figures().workers },
  ]);
}

/** A server that is away says so with every call: once a minute is enough for a log. */
const QUIET_MS = 60_000;

function createCadenceMeter(metrics: Metrics, logger: Logger): CadenceMeter {
  const names = ["tenant", "domain", "tasklist"] as const;
  const polls = metrics.counter(
    "cs_cadence_polls_total",
    "Polls for activity tasks",
    [...names, "outcome"],
    names,
  );
  const tasks = metrics.counter(
    "cs_cadence_tasks_total",
    "Activity tasks that are over",
    [...names, "status"],
    names,
  );
  const beats = metrics.counter(
    "cs_cadence_heartbeat_total",
    "Heartbeats sent",
    [...names, "outcome"],
    names,
  );
  const faults = metrics.counter("cs_cadence_errors_total", "Calls to Cadence that failed", ["code"]);
  const lag = metrics
    .histogram(
      "cs_cadence_task_duration_ms",
      "Time from when a task is taken until Cadence has its answer",
      [],
    )
    .child({});
  const toldMs = new Map<string, number>();
  const of = ({ tenant, domain, tasklist }: QueueLabels): QueueLabels => ({ tenant, domain, tasklist });
  return {
    polled: (queue, outcome) => void (polls.child({ ...of(queue), outcome }).value += 1),
    ended(queue, status, tookMs) {
      tasks.child({ ...of(queue), status }).value += 1;
      lag.observe(tookMs);
    },
    heartbeat: (queue, outcome) => void (beats.child({ ...of(queue), outcome }).value += 1),
    fault(code, cause) {
      faults.child({ code }).value += 1;
      const nowMs = performance.now();
      if (nowMs - (toldMs.get(code) ?? -Infinity) < QUIET_MS) return;
      toldMs.set(code, nowMs);
      const message = cause instanceof Error ? cause.message : String(cause);
      const error = new PlatformError(code, `Cadence does not answer as it should: ${message}`, { cause });
      logger.warn({ error }, "a call to Cadence failed, and is tried again");
    },
  };
}
