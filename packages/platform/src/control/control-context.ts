import type { EventSourceStatus, Limits } from "@sous/contract";
import type { Store } from "@sous/store";
import type { CancelRequests } from "../activations/cancellations.ts";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import type { LiveActivations } from "../activations/live-activations.ts";
import type { QueuedActivations } from "../activations/queued-activations.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { BundleTiers } from "../bundle/bundle-tiers.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Readiness } from "../http/readiness.ts";
import type { Membership } from "../members/membership.ts";
import type { RunSubmitter } from "../schedules/submit-run.ts";
import type { Timing } from "../schedules/timing.ts";
import type { SecretWriter } from "../secrets/secret-vault.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Metrics } from "../telemetry/metrics.ts";

type DeadMethod = "deadPage" | "findDead" | "removeDead" | "redrive";

/** Everything the control plane works with. */
export interface ControlOptions {
  store: Store;
  catalog: Catalog;
  bundles: Pick<BundleTiers, "load" | "publish">;
  auth: Authenticator;
  /** The activations of this process; a process without an invoker has none. */
  live: LiveActivations;
  /** What waits in a queue of this process (nothing). */
  queued?: QueuedActivations;
  codeq: Pick<
    InvocationCodeQ,
    "cancel" | "check" | "discard" | "isShared" | "lookup" | "publish" | "reply" | DeadMethod
  >;
  secrets: SecretWriter;
  timing: Timing;
  /** Queues what a schedule runs when somebody wants it now. */
  runs: Pick<RunSubmitter, "now">;
  /** Called after a schedule was made or changed: it may be due before all others (nothing). */
  onScheduleChange?: () => void;
  /** Called after a Cadence worker was made, changed or deleted (nothing). */
  onCadenceChange?: () => void;
  /** Whether a Cadence server is configured (false). */
  hasCadence?: boolean;
  /** Whose tasks of Cadence a tenant may take: `TENANT/DOMAIN`, `TENANT/*` (every tenant those of every domain). */
  cadenceDomains?: readonly string[];
  /** Called after an event source was made, changed or deleted (nothing). */
  onEventSourceChange?: () => void;
  /** @returns how a source goes that this process reads, newer than what is written down (nothing) */
  eventSourceStatus?: (uid: string) => EventSourceStatus | undefined;
  /** Who is in the cluster, as this process last saw it (nobody). */
  membership?: () => Membership;
  metrics: Metrics;
  logger: Logger;
  /** Epoch milliseconds. */
  clock: () => number;
  /** @returns that many cryptographically random bytes */
  randomBytes: (size: number) => Uint8Array;
  limits: Limits;
  /** What `/readyz` asks. */
  readiness: Readiness;
  /** Whether `/metrics` answers everybody, not only this machine (false). */
  metricsPublic?: boolean;
  /** Of versions that do not say (`relaxed`). */
  durability?: "relaxed" | "strict";
  /** When an alias may go to a version with new powers only with an approval (`never`). */
  approve?: "never" | "new-powers";
  /** Whether activations may run in other processes, which do not tell this one of their ends (false). */
  runsElsewhere?: boolean;
  /** Asks other processes to end what they run; absent where there are none. */
  cancellations?: CancelRequests | undefined;
  /** How often a followed log or a waiting caller looks for what other processes wrote, milliseconds (500). */
  followIntervalMs?: number;
}

/** The options with their defaults, and what the parts of control share. */
export interface ControlContext extends Required<Omit<ControlOptions, "cancellations">> {
  readonly cancellations: CancelRequests | undefined;
  /** Ends every open event stream when the server closes. */
  readonly closing: AbortSignal;
}
