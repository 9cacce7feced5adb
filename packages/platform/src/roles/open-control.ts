import { randomBytes } from "node:crypto";
import { createCancelRequests } from "../activations/cancellations.ts";
import { endAbandoned } from "../activations/end-abandoned.ts";
import { createQueuedActivations } from "../activations/queued-activations.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { BundleTiers } from "../bundle/bundle-tiers.ts";
import { type Control, createControl } from "../control/create-control.ts";
import { createTopicSweeper } from "../control/sweep-topics.ts";
import type { Readiness } from "../http/readiness.ts";
import type { RunSubmitter } from "../schedules/submit-run.ts";
import type { Timing } from "../schedules/timing.ts";
import type { SecretWriter } from "../secrets/secret-vault.ts";
import { observeQueue } from "./observe.ts";
import { isEmbedded } from "./open-codeq.ts";
import type { Core } from "./open-core.ts";
import type { OpenEventSources } from "./open-event-sources.ts";
import type { Members } from "./open-members.ts";
import type { ProcessContext } from "./process-context.ts";

const SWEEP_MS = 60_000;

export interface OpenControlOptions {
  context: ProcessContext;
  core: Core;
  auth: Authenticator;
  /** The pollers of event sources, where this process has them. */
  events: OpenEventSources | undefined;
  readiness: Readiness;
  timing: Timing;
  runs: RunSubmitter;
  secrets: SecretWriter;
  members: Pick<Members, "membership" | "topics">;
  bundles: BundleTiers;
  /** Tells the scheduler of this process, where it has one, that a schedule was made or changed. */
  onScheduleChange: () => void;
  /** Tells the poller of this process, where it has one, that a Cadence worker was made, changed or deleted. */
  onCadenceChange: () => void;
}

/** Puts the control plane together; it also removes what has outlived its time, and tells what waits in the queue. */
export async function openControl(options: OpenControlOptions): Promise<Control> {
  const { context, core, events, members, ...rest } = options;
  const { config, metrics, logger, now, onFault } = context;
  const isShared = !isEmbedded(config.codeq);
  const control = await createControl({
    ...context,
    ...core,
    ...rest,
    membership: members.membership,
    queued: createQueuedActivations({ ...core, activations: core.store.activations }),
    clock: now,
    randomBytes,
    onEventSourceChange: () => events?.wake(),
    eventSourceStatus: (uid) => events?.status(uid),
    metricsPublic: config.metrics_public,
    durability: config.durability,
    approve: config.publish.approve,
    hasCadence: config.cadence !== "none",
    cadenceDomains: config.cadence_domains,
    runsElsewhere: isShared,
    ...(isShared ? { cancellations: createCancelRequests({ kv: core.store.kv, now }) } : {}),
  });
  observeQueue(metrics, core.codeq, members.topics);
  const endLost = async (): Promise<void> => {
    for (const id of await endAbandoned(core, now()))
      logger.warn({ activation_id: id }, "the queue has lost this work; its record was ended");
  };
  const sweepTopics = createTopicSweeper(core);
  const sweeper = setInterval(() => {
    for (const sweep of [() => core.store.sweep(now()), endLost, sweepTopics]) void sweep().catch(onFault);
  }, SWEEP_MS);
  sweeper.unref();
  return {
    handle: control.handle,
    async [Symbol.asyncDispose]() {
      clearInterval(sweeper);
      await control[Symbol.asyncDispose]();
    },
  };
}
