import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { CodeQ } from "@sous/codeq";
import { type EventSourceRecord, type EventSourceStatus, PlatformError } from "@sous/contract";
import type { Authenticator } from "../auth/authenticator.ts";
import type { AdapterContext, SourceAdapter } from "../event-sources/adapter.ts";
import { createInboxAdapter } from "../event-sources/adapters/inbox-adapter.ts";
import { createKinesisAdapter } from "../event-sources/adapters/kinesis-adapter.ts";
import { createRedisStreamAdapter } from "../event-sources/adapters/redis-stream-adapter.ts";
import { createS3ListingAdapter } from "../event-sources/adapters/s3-listing-adapter.ts";
import { notificationReader } from "../event-sources/adapters/s3-message.ts";
import { createSqsAdapter } from "../event-sources/adapters/sqs-adapter.ts";
import { type AddressGuard, createAddressGuard } from "../event-sources/checked-address.ts";
import { createEventSources } from "../event-sources/create-event-sources.ts";
import {
  createLocalLeases,
  createStoreLeases,
  type PartitionLeases,
} from "../event-sources/partition-leases.ts";
import { sleep } from "../event-sources/sleep.ts";
import type { EventSourceMeter } from "../event-sources/source-progress.ts";
import { createEventSubmitter } from "../event-sources/submit-events.ts";
import { createTopicRouter } from "../event-sources/topic-router.ts";
import { createWebhookDoor } from "../event-sources/webhook/webhook-door.ts";
import type { InboxBody } from "../events/inbox.ts";
import type { UserTopicBody } from "../events/user-topic.ts";
import { createClientIpReader } from "../http/client-ip.ts";
import type { RawRoute } from "../http/front-server.ts";
import type { BodyRoom } from "../http/read-body.ts";
import { createRateLimiter } from "../http/rate-limiter.ts";
import { createEgress, type Egress } from "../powers/create-egress.ts";
import type { SecretReader } from "../secrets/secret-vault.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Core } from "./open-core.ts";
import type { ProcessContext } from "./process-context.ts";

export interface OpenEventSourcesOptions extends Pick<
  ProcessContext,
  "config" | "limits" | "metrics" | "logger" | "now" | "onFault"
> {
  core: Pick<Core, "store" | "codeq" | "catalog" | "tier">;
  secrets: SecretReader;
  /** @returns among how many processes of the role partitions are shared out */
  sharers: () => number;
}

/** The pollers of a process, with what feeds topics into them. */
export interface OpenEventSources extends AsyncDisposable {
  readonly inboxes: CodeQ<InboxBody, unknown>;
  readonly secrets: SecretReader;
  wake(): void;
  drain(timeoutMs: number): Promise<void>;
  /** @returns how a source goes that this process reads */
  status(uid: string): EventSourceStatus | undefined;
}

/** Starts the pollers of event sources of a process. */
export async function openEventSources(options: OpenEventSourcesOptions): Promise<OpenEventSources> {
  const { config, limits, secrets, core, metrics, logger, now, onFault } = options;
  const { store, codeq, catalog, tier } = core;
  const holder = `${hostname()}/${process.pid}/${randomUUID()}`;
  const leases = openLeases(options, holder);
  const replies = await codeq.openReplies();
  const inboxes = codeq as unknown as CodeQ<InboxBody, unknown>;
  const privateAllow = config.egress.private_allow;
  const egress = createEgress({ privateAllow, responseBytesMax: ANSWER_BYTES_MAX });
  const guard = createAddressGuard(privateAllow);
  const router = createTopicRouter({
    codeq: codeq as unknown as CodeQ<UserTopicBody, unknown>,
    inboxes,
    leases,
    looked: () => sources.looked(),
    clock: now,
    sleep,
    onFault,
  });
  const sources = createEventSources({
    resources: store.resources,
    leases,
    submitter: createEventSubmitter({
      codeq,
      replies,
      store,
      catalog,
      limits,
      tier,
      clock: now,
      sleep,
    }),
    openAdapter: (source) => openAdapter({ source, inboxes, secrets, holder, now, egress, guard }),
    meter: createEventSourceMeter(metrics, logger),
    onSources: (found) => router.update(found),
    refreshMs: config.event_source_refresh_seconds * 1000,
    depthMax: config.budgets.depth_max,
    clock: now,
    random: Math.random,
    sleep,
    onFault,
  });
  const status = (uid: string): EventSourceStatus | undefined => {
    for (const [source, progress] of sources.progress()) if (source.uid === uid) return progress.snapshot();
    return undefined;
  };
  observeLag(metrics, sources);
  return {
    inboxes,
    secrets,
    wake: () => sources.wake(),
    drain: (timeoutMs) => sources.drain(timeoutMs),
    status,
    async [Symbol.asyncDispose]() {
      await router[Symbol.asyncDispose]();
      await sources[Symbol.asyncDispose]();
      await replies[Symbol.asyncDispose]();
      await egress[Symbol.asyncDispose]();
    },
  };
}

function openLeases(
  { config, core, sharers, now, onFault }: OpenEventSourcesOptions,
  holder: string,
): PartitionLeases {
  if (config.leader === "local:") return createLocalLeases();
  const { leases } = core.store;
  return createStoreLeases({
    leases,
    holder,
    sharers,
    clock: now,
    monotonic: () => performance.now(),
    sleep,
    onFault,
  });
}

interface AdapterOptions {
  source: EventSourceRecord;
  inboxes: CodeQ<InboxBody, unknown>;
  secrets: SecretReader;
  holder: string;
  now: () => number;
  egress: Egress;
  guard: AddressGuard;
}

/** Ten messages of SQS, or five hundred records of a shard, and their base64. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** The one place where adapters are chosen; those that need a library of their own are loaded on first use. */
async function openAdapter(options: AdapterOptions): Promise<SourceAdapter> {
  const { source, inboxes, secrets, holder, now, egress, guard } = options;
  const { tenant, namespace } = source;
  const context: AdapterContext = {
    source,
    secret: (name) => secrets.read({ tenant, namespace, name }),
    clock: now,
    sleep,
    holder,
  };
  switch (source.type) {
    case "codeq":
    case "webhook":
      return createInboxAdapter(inboxes, context);
    case "sqs":
      return await createSqsAdapter({ ...context, egress }, partOf(source, source.sqs));
    case "kinesis":
      return await createKinesisAdapter({ ...context, egress });
    case "redis_stream":
      return await createRedisStreamAdapter({ ...context, guard });
    case "s3": {
      const { queue_url, ...part } = partOf(source, source.s3);
      if (queue_url === undefined) return await createS3ListingAdapter({ ...context, egress });
      const { credentials, region } = part;
      const queue = { queue_url, credentials, ...(region === undefined ? {} : { region }) };
      return await createSqsAdapter({ ...context, egress }, { ...queue, read: notificationReader(source) });
    }
  }
}

function partOf<Part>({ name, type }: EventSourceRecord, part: Part | undefined): Part {
  if (part !== undefined) return part;
  throw new PlatformError("CS_INTERNAL", `event source ${name} has no part ${type}`);
}

export interface OpenWebhookDoorOptions extends Pick<ProcessContext, "config" | "now" | "onFault"> {
  core: Pick<Core, "store">;
  auth: Authenticator;
  events: OpenEventSources;
  /** @returns among how many processes of the role the rate limit is shared out */
  sharers: () => number;
  /** Room for bodies of requests, shared with others that read such. */
  bodies: BodyRoom;
}

/** @returns the way in for webhooks and CloudEvents */
export function openWebhookDoor({
  config,
  now,
  onFault,
  core,
  auth,
  events,
  sharers,
  bodies,
}: OpenWebhookDoorOptions): RawRoute {
  const { enabled, client_rps } = config.rate_limits;
  return createWebhookDoor({
    resources: core.store.resources,
    inboxes: events.inboxes,
    secrets: events.secrets,
    auth,
    clients: enabled ? createRateLimiter({ ratePerSecond: client_rps, clock: now, sharers }) : undefined,
    clientIp: createClientIpReader(config.trusted_proxies),
    bodies,
    clock: now,
    onFault,
  });
}

const LABELS = ["tenant", "namespace", "source"] as const;

function createEventSourceMeter(metrics: Metrics, logger: Logger): EventSourceMeter {
  const messages = metrics.counter(
    "cs_event_source_messages_total",
    "Messages of event sources by what became of them",
    [...LABELS, "outcome"],
    LABELS,
  );
  const faults = metrics.counter(
    "cs_event_source_faults_total",
    "Failures of sources, or on the way to their functions; all are tried again",
    LABELS,
    LABELS,
  );
  return {
    count({ tenant, namespace, name }, outcome, count) {
      messages.child({ tenant, namespace, source: name, outcome }).value += count;
    },
    fault({ tenant, namespace, name }, error) {
      faults.child({ tenant, namespace, source: name }).value += 1;
      logger.warn(
        { tenant, namespace, event_source: name, error },
        "an event source failed; it is tried again",
      );
    },
  };
}

function observeLag(metrics: Metrics, sources: ReturnType<typeof createEventSources>): void {
  const read = (pick: (status: EventSourceStatus) => number | null) => () =>
    [...sources.progress()].flatMap(([{ tenant, namespace, name }, progress]) => {
      const value = pick(progress.snapshot());
      return value === null ? [] : [{ labels: { tenant, namespace, source: name }, value }];
    });
  metrics.gauge(
    "cs_event_source_lag",
    "Messages that wait in a source",
    LABELS,
    read(({ lag }) => lag),
  );
  metrics.gauge(
    "cs_event_source_lag_ms",
    "Age of the oldest message that waits",
    LABELS,
    read(({ lag_ms }) => lag_ms),
  );
  metrics.gauge(
    "cs_event_source_in_flight",
    "Messages that were read and have not ended",
    LABELS,
    read(({ in_flight }) => in_flight),
  );
}
