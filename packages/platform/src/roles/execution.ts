import { totalmem } from "node:os";
import type { CodeQ } from "@sous/codeq";
import type { Limits } from "@sous/contract";
import { createIsolateDriver, type HostReport } from "@sous/sandbox";
import { watchCancelRequests } from "../activations/cancellations.ts";
import { createDestinationSender } from "../activations/destination-sender.ts";
import type { DestinationTask } from "../activations/destination-task.ts";
import { type BundleCache, createBundleCache } from "../bundle/bundle-cache.ts";
import type { BundleTiers } from "../bundle/bundle-tiers.ts";
import { createTypeStripper } from "../bundle/type-stripper.ts";
import { createHeartbeatPublisher, type HeartbeatMessage } from "../cadence-workers/heartbeat-message.ts";
import type { Config } from "../config/config-schema.ts";
import { createFleet } from "../fleet/create-fleet.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { createInvoker } from "../invoker/create-invoker.ts";
import { createDestinations } from "../destinations/create-destinations.ts";
import type { Invoker } from "../invoker/invoker.ts";
import { createEgress } from "../powers/create-egress.ts";
import { createHostPowers } from "../powers/create-host-powers.ts";
import type { SecretReader } from "../secrets/secret-vault.ts";
import { isEmbedded } from "./open-codeq.ts";
import type { PlatformMeter } from "./platform-meter.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Core } from "./open-core.ts";
import { sandboxRoom } from "./sandbox-room.ts";
import { createUserTopics } from "./user-topics.ts";

/** The execution plane of a process: everything between the queue and the sandboxes. */
export interface Execution extends AsyncDisposable {
  bundles: BundleCache;
  fleet: Fleet;
  invoker: Invoker;
  /** Waits for a sandbox host to be closed as far as is required, where something is. @throws CS_VALIDATION_FAILED */
  ensureClosed(): Promise<void>;
  /** @throws CS_SANDBOX_UNAVAILABLE, or why a sandbox host cannot be started */
  check(): Promise<HostReport>;
  /** Whether it takes no more work. */
  readonly isDraining: boolean;
  /** Takes no more work, and waits until what runs or is being delivered has ended, at most `timeoutMs` in all. */
  drain(timeoutMs: number): Promise<void>;
}

export interface ExecutionOptions {
  config: Config;
  limits: Limits;
  core: Core;
  /** Where the bundle cache has bundles from. */
  tiers: Pick<BundleTiers, "load">;
  secrets: SecretReader;
  meter: PlatformMeter;
  /** Its name in the cluster, for records (none). */
  member?: string | undefined;
  now: () => number;
  /** Hears of faults nobody waits for. */
  onFault: (error: unknown) => void;
  /** Is told once when sandbox hosts are not closed by the operating system (nobody). */
  logger?: Logger;
}

/** Puts the execution plane of a process together. */
export async function openExecution(options: ExecutionOptions): Promise<Execution> {
  const { config, limits, core, tiers, secrets, meter, now, onFault } = options;
  const { store, codeq, catalog, live, spending } = core;
  const stack = new AsyncDisposableStack();
  const required = config.sandbox.require === "any" ? "open" : config.sandbox.require;
  const driver = stack.use(
    await createIsolateDriver({
      isolateIdleMs: config.idle.isolate_ms,
      requires: required,
      onReport: warnOnce(options.logger),
    }),
  );
  const stripper = stack.use(createTypeStripper());
  const bundles = createBundleCache({
    load: (sha256) => tiers.load(sha256),
    stripper,
    clock: now,
    itemsMax: limits.bundleCacheItemsMax,
    bytesMax: limits.bundleCacheBytesMax,
  });
  const publishTopic = createUserTopics(codeq as unknown as CodeQ<unknown, unknown>, now);
  const egress = createEgress({ privateAllow: config.egress.private_allow });
  const powers = stack.use(
    createHostPowers({
      kv: store.kv,
      publish: publishTopic,
      egress,
      secrets,
      clock: now,
      heartbeat: createHeartbeatPublisher(codeq as unknown as CodeQ<HeartbeatMessage, unknown>, now),
      onFault,
    }),
  );
  const fleet = stack.use(
    createFleet({
      driver,
      ...sandboxRoom(memoryBytes()),
      hostIdleMs: config.idle.host_ms,
      now,
    }),
  );
  const sender = stack.use(createDestinationSender({ codeq, now, onFault }));
  const queue = codeq as unknown as CodeQ<DestinationTask, unknown>;
  const destinations = stack.use(
    await createDestinations({
      consume: (consumer) => queue.consume(consumer),
      codeq,
      store,
      tier: fleet.tier,
      catalog,
      limits,
      egress,
      secrets,
      publishTopic,
      now,
      depthMax: config.budgets.depth_max,
      random: Math.random,
      onTry: meter.destination,
      onFault,
    }),
  );
  if (!isEmbedded(config.codeq)) stack.use(watchCancelRequests({ kv: store.kv, now, live }));
  const invoker = stack.use(
    await createInvoker({
      codeq,
      store,
      catalog,
      bundles,
      fleet,
      powers,
      live,
      destinations: sender,
      meter,
      spending,
      limits,
      member: options.member,
      now,
      random: Math.random,
    }),
  );
  const owned = stack.move();
  let isDraining = false;
  return {
    get isDraining() {
      return isDraining;
    },
    bundles,
    fleet,
    invoker,
    check: () => driver.inspect(),
    async ensureClosed() {
      if (required !== "open") await driver.inspect();
    },
    async drain(timeoutMs) {
      isDraining = true;
      const untilMs = performance.now() + timeoutMs;
      await invoker.drain(timeoutMs);
      // Ends of what just ran are told as long as there is time; the next process tells the rest.
      await destinations.drain(Math.max(0, untilMs - performance.now()));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Says once what a host on this machine lacks to be closed, for whoever reads the log. */
function warnOnce(logger: Logger | undefined): (report: HostReport) => void {
  let told = false;
  return ({ level, layers, failures }) => {
    if (told || level !== "open") return;
    told = true;
    const off = layers.filter((layer) => layer.level === "closed" && !layer.on).map((layer) => layer.name);
    logger?.warn(
      { layers: off, failures },
      "sandbox hosts are not closed by the operating system; cs doctor says how",
    );
  };
}

/** What this process may use: its control group's bound, where it has one, else what the machine has. */
function memoryBytes(): number {
  const bound = process.constrainedMemory();
  return bound > 0 ? Math.min(bound, totalmem()) : totalmem();
}
