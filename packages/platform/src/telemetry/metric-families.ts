import type { Metric, Registry } from "prom-client";

/** The label value that stands for everything past the bound. */
const OTHER = "other";

export interface FamilyOptions<L extends string> {
  registry: Registry;
  name: string;
  help: string;
  labelNames: readonly L[];
  /** Labels that callers can make many values of; past `seriesMax` they read `other`. */
  unboundedLabels: readonly L[];
  /** Most series with their own labels. */
  seriesMax: number;
}

/** Series of one metric, each made once and then written to without any look-up. */
export interface Family<L extends string, Child> {
  /** @returns the series with these labels, or the one that stands for the rest when there are too many */
  child(labels: Record<L, string>): Child;
}

export interface Counter {
  value: number;
}

export interface Histogram {
  /** Adds one observation, in the unit of the buckets. */
  observe(value: number): void;
}

interface Sample {
  metricName?: string;
  labels: Record<string, string | number>;
  value: number;
}

/** Makes a counter: its children are plain numbers that the registry reads when it is asked. */
export function createCounterFamily<L extends string>(options: FamilyOptions<L>): Family<L, Counter> {
  const series = createSeries<L, Counter>(options, () => ({ value: 0 }));
  register(options, "counter", () => [...series.all()].map(([labels, { value }]) => ({ labels, value })));
  return series;
}

/** Makes a histogram. @param buckets upper bounds, ascending */
export function createHistogramFamily<L extends string>(
  options: FamilyOptions<L>,
  buckets: readonly number[],
): Family<L, Histogram> {
  const series = createSeries<L, BucketHistogram>(options, () => new BucketHistogram(buckets));
  register(options, "histogram", () =>
    [...series.all()].flatMap(([labels, child]) => child.samples(options.name, labels)),
  );
  return series;
}

function createSeries<L extends string, Child>(options: FamilyOptions<L>, make: () => Child) {
  const { labelNames, unboundedLabels, seriesMax } = options;
  const children = new Map<string, { labels: Record<L, string>; child: Child }>();
  const keyOf = (labels: Record<L, string>) => labelNames.map((name) => labels[name]).join("\u0000");

  return {
    child(labels: Record<L, string>): Child {
      const known = children.get(keyOf(labels));
      if (known !== undefined) return known.child;
      const bounded = { ...labels };
      if (children.size >= seriesMax) for (const name of unboundedLabels) bounded[name] = OTHER;
      const key = keyOf(bounded);
      const found = children.get(key);
      if (found !== undefined) return found.child;
      const child = make();
      children.set(key, { labels: bounded, child });
      return child;
    },
    *all(): Iterable<[Record<L, string>, Child]> {
      for (const { labels, child } of children.values()) yield [labels, child];
    },
  };
}

class BucketHistogram implements Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let index = 0;
    while (index < bounds.length && value > (bounds[index] as number)) index++;
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#sum += value;
  }

  samples(name: string, labels: Record<string, string>): Sample[] {
    let total = 0;
    const samples: Sample[] = this.#bounds.map((le, index) => {
      total += this.#counts[index] as number;
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: total };
    });
    total += this.#counts[this.#bounds.length] as number;
    samples.push({ metricName: `${name}_bucket`, labels: { le: "+Inf", ...labels }, value: total });
    samples.push({ metricName: `${name}_sum`, labels, value: this.#sum });
    samples.push({ metricName: `${name}_count`, labels, value: total });
    return samples;
  }
}

/**
 * prom-client's own counters hash their labels on each observation, which costs more than the rest of a warm
 * request. So the numbers are ours and prom-client only prints them: it asks a metric by `get`.
 */
function register(
  options: Pick<FamilyOptions<string>, "registry" | "name" | "help">,
  type: "counter" | "histogram",
  read: () => Sample[],
): void {
  const { registry, name, help } = options;
  const metric = {
    name,
    help,
    type,
    aggregator: "sum",
    get: () => Promise.resolve({ name, help, type, aggregator: "sum", values: read() }),
    reset() {},
  };
  registry.registerMetric(metric as unknown as Metric);
}
