import type { LaneDepth } from "@sous/codeq";
import { TOPICS } from "@sous/contract";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import type { BundleTiers } from "../bundle/bundle-tiers.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Execution } from "./execution.ts";

/** Adds what waits in the queue to the metrics; one process of a platform is enough to tell it. */
export function observeQueue(metrics: Metrics, codeq: InvocationCodeQ, memberTopics: () => string[]): void {
  const depthOf = async (topics: readonly string[]): Promise<LaneDepth[]> =>
    (await Promise.all(topics.map((topic) => codeq.depth(topic)))).flat();
  metrics.gauge("cs_dead_letters", "Dead letters that wait for somebody to deal with them", ["topic"], () =>
    Promise.all(
      [TOPICS.invoke, TOPICS.deliver].map(async (topic) => ({
        labels: { topic },
        value: await codeq.deadCount(topic),
      })),
    ),
  );
  metrics.gauge("cs_codeq_depth", "Messages of the queue by state", ["topic", "state"], async () => {
    const ofMembers = memberTopics();
    const groups: [label: string, topics: readonly string[]][] = [
      [TOPICS.invoke, [TOPICS.invoke]],
      [TOPICS.deliver, [TOPICS.deliver]],
    ];
    // One series for all of them: their names change with every start of a process.
    if (ofMembers.length > 0) groups.push([`${TOPICS.invoke}.*`, ofMembers]);
    const depths = await Promise.all(groups.map(([, topics]) => depthOf(topics)));
    return groups.flatMap(([topic], at) =>
      (["ready", "delayed", "claimed"] as const).map((state) => ({
        labels: { topic, state },
        value: (depths[at] ?? []).reduce((sum, depth) => sum + depth[state], 0),
      })),
    );
  });
}

/** Adds what the execution plane knows of itself to the metrics; read when somebody asks (SPEC 13). */
export function observeExecution(metrics: Metrics, { bundles, fleet, invoker }: Execution): void {
  const gauge = (name: string, help: string, read: () => number): void =>
    metrics.gauge(name, help, [], () => [{ labels: {}, value: read() }]);
  gauge("cs_invoker_inflight", "Activations the invoker works on", () => invoker.inflight);
  gauge("cs_invoker_cache_items", "Programs in the bundle cache", () => bundles.stats().items);
  gauge("cs_invoker_cache_bytes", "Bytes of text in the bundle cache", () => bundles.stats().bytes);
  gauge("cs_invoker_cache_hits_total", "Bundles found in the cache", () => bundles.stats().hits);
  gauge("cs_invoker_cache_misses_total", "Bundles that had to be fetched", () => bundles.stats().misses);
  gauge("cs_fleet_sandboxes", "Sandbox hosts alive", () => fleet.stats().sandboxes);
  gauge("cs_fleet_tenants", "Tenants with a sandbox", () => fleet.stats().tenants);
  gauge("cs_fleet_warm_programs", "Versions with an isolate ready", () => fleet.stats().warmPrograms);
}

/** Adds which tier of bundles had what was asked for. */
export function observeBundles(metrics: Metrics, tiers: BundleTiers): void {
  metrics.gauge(
    "cs_bundle_tier_requests_total",
    "Bundles asked of a tier, by what it answered",
    ["tier", "outcome"],
    () => tiers.stats().map(({ tier, outcome, count }) => ({ labels: { tier, outcome }, value: count })),
  );
}
