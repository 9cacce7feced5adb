import type { SetTimer } from "@sous/codeq";
import type { Invocation, Limits, TerminalStatus } from "@sous/contract";
import type { Store } from "@sous/store";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import type { DestinationSender } from "../activations/destination-sender.ts";
import type { LiveRegistry } from "../activations/live-registry.ts";
import type { Spending } from "../activations/spending.ts";
import type { BundleCache } from "../bundle/bundle-cache.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { HostPowers } from "../powers/host-powers.ts";

/** Counts what happens to activations; see the metrics of SPEC 13. */
export interface InvokerMeter {
  started(invocation: Invocation, version: number): void;
  ended(
    invocation: Invocation,
    version: number,
    status: TerminalStatus,
    durationMs: number,
    /** The runtime that had to be started for it; absent when the activation was warm. */
    coldRuntime: string | undefined,
  ): void;
  retried(invocation: Invocation): void;
  /** The store or the queue refused a step of work that goes on: it is tried again, or its end says it. */
  writeRefused(activationId: string, error: unknown): void;
  /** The end of an activation was given up; the platform goes on. */
  recordLost(activationId: string, error: unknown): void;
}

export interface InvokerOptions {
  codeq: InvocationCodeQ;
  store: Store;
  catalog: Catalog;
  bundles: BundleCache;
  fleet: Fleet;
  powers: HostPowers;
  live: LiveRegistry;
  destinations: DestinationSender;
  meter: InvokerMeter;
  /** Charged with what each attempt used; absent: nobody counts. */
  spending?: Spending | undefined;
  limits: Limits;
  /** Its name in the cluster, for records (none). */
  member?: string | undefined;
  now: () => number;
  /** For asynchronous work (timers of Node, which do not keep the process alive). */
  setTimer?: SetTimer;
  random: () => number;
}

/** Takes invocations from the queue and runs each once: see `Run` for the way of one. */
export interface Invoker extends AsyncDisposable {
  readonly inflight: number;
  /** Takes work from one more topic as from the one everybody consumes. @returns what stops it */
  consume(topic: string): Promise<() => Promise<void>>;
  /** Stops taking work and waits until what runs has ended, at most `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>;
}
