import type { TerminalStatus, TriggerType } from "@sous/contract";
import { Gauge, Registry } from "prom-client";
import {
  type Counter,
  createCounterFamily,
  createHistogramFamily,
  type Family,
  type Histogram,
} from "./metric-families.ts";

/** One series of invocations; keep it, or ask for it again at the price of a few map look-ups. */
export interface InvocationMetric {
  /**
   * Counts one ended activation.
   * @param cold whether it had to wait for an isolate or process to be made
   */
  done(status: TerminalStatus, durationMs: number, cold: boolean): void;
}

/** One route of the HTTP API. */
export interface RequestMetric {
  done(status: number, durationMs: number): void;
}

/** A value that is read when somebody asks, with its labels. */
export interface GaugeReading {
  labels: Record<string, string>;
  value: number;
}

export interface Metrics {
  invocation(
    tenant: string,
    namespace: string,
    name: string,
    version: number,
    trigger: TriggerType,
  ): InvocationMetric;
  /** @param route the pattern, never the path as received */
  request(route: string, method: string): RequestMetric;
  /** Makes a counter of a part's own; `unboundedLabels` read `other` past the bound. */
  counter<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    unboundedLabels?: readonly L[],
  ): Family<L, Counter>;
  /** Makes a histogram of milliseconds of a part's own. */
  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    unboundedLabels?: readonly L[],
  ): Family<L, Histogram>;
  /** Adds a gauge; `read` is called at each scrape and must not throw. */
  gauge(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: () => Iterable<GaugeReading> | Promise<Iterable<GaugeReading>>,
  ): void;
  /** @returns everything in the text format of Prometheus */
  text(): Promise<string>;
  readonly contentType: string;
}

export interface MetricsOptions {
  /** Most series of one metric that have their own function and tenant (2,000). */
  seriesMax?: number;
}

const DURATION_BUCKETS_MS = [
  0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 900_000,
];

/** Makes the metrics of a process (SPEC 13). Parts that own a state add their gauges; names are unique. */
export function createMetrics({ seriesMax = 2000 }: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  const metrics: Omit<Metrics, "invocation" | "request"> = {
    counter: (name, help, labelNames, unboundedLabels = []) =>
      createCounterFamily({ registry, name, help, labelNames, unboundedLabels, seriesMax }),
    histogram: (name, help, labelNames, unboundedLabels = []) =>
      createHistogramFamily(
        { registry, name, help, labelNames, unboundedLabels, seriesMax },
        DURATION_BUCKETS_MS,
      ),
    gauge(name, help, labelNames, read) {
      registry.registerMetric(
        new Gauge({
          name,
          help,
          labelNames: [...labelNames],
          registers: [],
          async collect() {
            const readings = await read();
            this.reset();
            for (const { labels, value } of readings) this.set(labels, value);
          },
        }),
      );
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
  return { ...metrics, invocation: createInvocations(metrics), request: createRequests(metrics) };
}

const FUNCTION_LABELS = ["tenant", "namespace", "function", "version"] as const;

function createInvocations({
  counter,
  histogram,
}: Pick<Metrics, "counter" | "histogram">): Metrics["invocation"] {
  const total = counter(
    "cs_invocations_total",
    "Ended activations",
    [...FUNCTION_LABELS, "trigger", "status"],
    FUNCTION_LABELS,
  );
  const duration = histogram(
    "cs_invocation_duration_ms",
    "Time of an activation from start to end",
    [...FUNCTION_LABELS, "trigger"],
    FUNCTION_LABELS,
  );
  const warm = histogram("cs_invocation_warm_ms", "Duration of activations in a warm place", []).child({});
  const cold = histogram(
    "cs_invocation_cold_ms",
    "Duration of activations that had to wait for a place",
    [],
  ).child({});

  const make = (tenant: string, namespace: string, name: string, version: number, trigger: TriggerType) => {
    const labels = { tenant, namespace, function: name, version: String(version), trigger };
    const statuses = new Map<TerminalStatus, Counter>();
    const durations = duration.child(labels);
    return {
      done(status: TerminalStatus, durationMs: number, isCold: boolean) {
        let count = statuses.get(status);
        if (count === undefined) statuses.set(status, (count = total.child({ ...labels, status })));
        count.value += 1;
        durations.observe(durationMs);
        (isCold ? cold : warm).observe(durationMs);
      },
    };
  };
  return createHandleTree(make);
}

type Handles = Map<string, Map<string, Map<string, Map<number, Map<TriggerType, InvocationMetric>>>>>;

/** Handles by their five parts, looked up without building a string. Emptied when it has grown too large. */
function createHandleTree(make: Metrics["invocation"]): Metrics["invocation"] {
  const handlesMax = 20_000;
  const tree: Handles = new Map();
  let handles = 0;
  return (tenant, namespace, name, version, trigger) => {
    const known = tree.get(tenant)?.get(namespace)?.get(name)?.get(version)?.get(trigger);
    if (known !== undefined) return known;
    if (++handles > handlesMax) {
      tree.clear();
      handles = 1;
    }
    const handle = make(tenant, namespace, name, version, trigger);
    const namespaces = branch(tree, tenant);
    branch(branch(branch(namespaces, namespace), name), version).set(trigger, handle);
    return handle;
  };
}

function branch<K, K2, V>(map: Map<K, Map<K2, V>>, key: K): Map<K2, V> {
  let child = map.get(key);
  if (child === undefined) map.set(key, (child = new Map<K2, V>()));
  return child;
}

function createRequests({ counter, histogram }: Pick<Metrics, "counter" | "histogram">): Metrics["request"] {
  const total = counter("cs_api_requests_total", "Answered requests", ["route", "method", "status"]);
  const duration = histogram("cs_api_request_duration_ms", "Time to answer", ["route", "method"]);
  const handles = new Map<string, Map<string, RequestMetric>>();
  const make = (route: string, method: string): RequestMetric => {
    const statuses = new Map<number, Counter>();
    const durations = duration.child({ route, method });
    return {
      done(status, durationMs) {
        let count = statuses.get(status);
        if (count === undefined) {
          statuses.set(status, (count = total.child({ route, method, status: String(status) })));
        }
        count.value += 1;
        durations.observe(durationMs);
      },
    };
  };
  return (route, method) => {
    const methods = branch(handles, route);
    let handle = methods.get(method);
    if (handle === undefined) methods.set(method, (handle = make(route, method)));
    return handle;
  };
}
