import { TOPICS } from "@sous/contract";
import type { Logger } from "../telemetry/logger.ts";
import type { DestinationsOptions } from "../destinations/create-destinations.ts";
import type { InvokerMeter } from "../invoker/invoker.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** The invoker's meter, and what becomes of destinations. */
export interface PlatformMeter extends InvokerMeter {
  destination: DestinationsOptions["onTry"];
}

/** Connects the execution plane to the process's metrics and log. */
export function createMeter(metrics: Metrics, logger: Logger): PlatformMeter {
  const retries = metrics
    .counter("cs_invocation_retries_total", "Failed attempts that were put back", [])
    .child({});
  const lost = metrics
    .counter("cs_records_lost_total", "Ends of activations that were given up without a record", [])
    .child({});
  const refused = metrics
    .counter("cs_work_writes_refused_total", "Steps of work that store or queue refused, and that go on", [])
    .child({});
  const deliveries = metrics.counter(
    "cs_destination_deliveries_total",
    "Tries to tell destinations of an end",
    ["kind", "outcome"],
  );
  const lag = metrics
    .histogram("cs_invoker_queue_lag_ms", "Time from when work was due to the start of its first attempt", [
      "topic",
    ])
    .child({ topic: TOPICS.invoke });
  const coldStarts = metrics.counter(
    "cs_invoker_cold_starts_total",
    "Activations that had to wait for an isolate or process to be made",
    ["runtime"],
  );
  return {
    destination(kind, outcome) {
      deliveries.child({ kind, outcome }).value += 1;
    },
    started({ attempt, due_at_ms, enqueued_at_ms }) {
      // When a later attempt was due is the queue's to know.
      if (attempt === 1) lag.observe(Math.max(0, Date.now() - (due_at_ms ?? enqueued_at_ms)));
    },
    ended({ tenant, namespace, ref, trigger }, version, status, durationMs, coldRuntime) {
      const cold = coldRuntime !== undefined;
      metrics
        .invocation(tenant, namespace, ref.function, version, trigger.type)
        .done(status, durationMs, cold);
      if (cold) coldStarts.child({ runtime: coldRuntime }).value += 1;
    },
    retried() {
      retries.value += 1;
    },
    writeRefused(activationId, error) {
      refused.value += 1;
      logger.warn(
        { activation_id: activationId, error },
        "store or queue refused a step of work; it goes on",
      );
    },
    recordLost(activationId, error) {
      lost.value += 1;
      logger.error({ activation_id: activationId, error }, "the end of an activation has no record");
    },
  };
}
