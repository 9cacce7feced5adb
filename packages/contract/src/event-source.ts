import Type, { type Static } from "typebox";
import { Destination } from "./destination.ts";
import { FunctionRef } from "./invocation.ts";
import { LIMITS } from "./limits.ts";

const closed = { additionalProperties: false } as const;
const TimeMs = Type.Integer({ minimum: 0 });
const HOUR_MS = 3_600_000;

export const EVENT_SOURCE_TYPES = ["codeq", "webhook", "sqs", "redis_stream", "kinesis", "s3"] as const;
/** What an event source reads from. */
export type EventSourceType = (typeof EVENT_SOURCE_TYPES)[number];

const SecretName = (description: string) =>
  Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$", description });
const HttpUrl = (description: string) => Type.String({ pattern: "^https?://", maxLength: 2048, description });

/** How a source of AWS, or of what speaks its protocols, is reached. */
const aws = {
  region: Type.Optional(
    Type.String({ pattern: "^[a-z0-9-]{1,64}$", description: "(that of the address, else us-east-1)" }),
  ),
  endpoint: Type.Optional(HttpUrl("Of a server that is not AWS itself")),
  credentials: SecretName(
    'Secret of the namespace: {"access_key_id", "secret_access_key", "session_token"?} as JSON',
  ),
};

export const WEBHOOK_SCHEMES = ["standard-webhooks", "github", "stripe", "slack", "hmac-sha256"] as const;
/** How the sender of a webhook proves itself. */
export type WebhookScheme = (typeof WEBHOOK_SCHEMES)[number];

const WebhookSignature = Type.Object(
  {
    scheme: Type.Enum([...WEBHOOK_SCHEMES], {
      description:
        "standard-webhooks: webhook-signature; github: x-hub-signature-256; stripe: stripe-signature; slack: x-slack-signature; hmac-sha256: hex or base64 in a header of your choice",
    }),
    secret: SecretName("Secret of the namespace that both sides know"),
    header: Type.Optional(
      Type.String({
        pattern: "^[a-z0-9][a-z0-9-]{0,63}$",
        description: "Of hmac-sha256: where the signature stands (x-signature)",
      }),
    ),
    tolerance_seconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 86_400,
        description: "How old a signed time may be, and how far in the future (300)",
      }),
    ),
  },
  closed,
);
export type WebhookSignature = Static<typeof WebhookSignature>;

const parts = {
  codeq: Type.Object(
    {
      topic: Type.String({
        pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        description: "Topic of the namespace, to which functions publish with cs.codeq.publish",
      }),
    },
    closed,
  ),
  webhook: Type.Object(
    {
      signature: Type.Optional(WebhookSignature),
      id_header: Type.Optional(
        Type.String({
          pattern: "^[a-z0-9][a-z0-9-]{0,63}$",
          description:
            "Where the sender's own id of a message stands: the same id runs once (webhook-id, x-github-delivery, or the id of the event)",
        }),
      ),
    },
    { ...closed, description: "Without a signature only callers with a token may send" },
  ),
  sqs: Type.Object(
    {
      queue_url: HttpUrl("Address of the queue"),
      ...aws,
      visibility_timeout_seconds: Type.Optional(
        Type.Integer({
          minimum: 2,
          maximum: 43_200,
          description: "How long a message is hidden at a time; extended while it runs (30)",
        }),
      ),
    },
    closed,
  ),
  redis_stream: Type.Object(
    {
      url: Type.String({
        pattern: "^rediss?://[^@/]+(/\\d{1,3})?$",
        maxLength: 512,
        description: "redis://host:port or rediss://host:port, a database number behind it",
      }),
      stream: Type.String({ minLength: 1, maxLength: 512, description: "Key of the stream" }),
      group: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 256,
          description: "Consumer group, made where there is none (sous-NAMESPACE-NAME)",
        }),
      ),
      credentials: Type.Optional(
        SecretName('Secret of the namespace: the password, or {"username", "password"} as JSON'),
      ),
    },
    closed,
  ),
  kinesis: Type.Object(
    {
      stream: Type.String({ pattern: "^[a-zA-Z0-9_.-]{1,128}$", description: "Name of the stream" }),
      ...aws,
    },
    closed,
  ),
  s3: Type.Object(
    {
      bucket: Type.String({ pattern: "^[a-z0-9][a-z0-9.-]{1,62}$", description: "Name of the bucket" }),
      prefix: Type.Optional(Type.String({ maxLength: 1024, description: "Only keys that begin so" })),
      queue_url: Type.Optional(
        HttpUrl("Queue that the bucket's notifications go to; without one the bucket is listed"),
      ),
      list_every_seconds: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 86_400, description: "Pause between two listings (60)" }),
      ),
      ...aws,
    },
    closed,
  ),
};

const Part = Type.Partial(Type.Object(parts)).properties;

/** Of messages that failed. */
export const EventRetry = Type.Object(
  {
    max_attempts: Type.Integer({
      minimum: 0,
      maximum: 20,
      description:
        "Attempts of a message before it is a dead letter (3); 0, of SQS only: as the queue's redrive policy says",
    }),
    backoff_ms: Type.Integer({
      minimum: 0,
      maximum: HOUR_MS,
      description: "Pause before the second, at most (1000)",
    }),
    backoff_max_ms: Type.Integer({
      minimum: 0,
      maximum: HOUR_MS,
      description: "Pause between two, at most (60000)",
    }),
  },
  closed,
);
export type EventRetry = Static<typeof EventRetry>;

/** The fields of an event source that its owner sets, each with its bounds. */
export const eventSourceFields = {
  ref: FunctionRef,
  ...Part,
  batch_size: Type.Integer({
    minimum: 1,
    maximum: LIMITS.eventBatchMax,
    description: "Most messages in one call (10; webhook 1)",
  }),
  batch_window_ms: Type.Integer({
    minimum: 0,
    maximum: 300_000,
    description: "How long a call waits to be full (0)",
  }),
  filters: Type.Array(Type.Record(Type.String({ maxLength: 256 }), Type.Unknown()), {
    maxItems: LIMITS.eventFiltersMax,
    description:
      "EventBridge patterns; a message passes when one of them matches, and is dropped otherwise (none: all pass)",
  }),
  parallelism: Type.Integer({
    minimum: 1,
    maximum: 64,
    description: "Calls at a time, of each shard where there are shards (1)",
  }),
  ordering_key: Type.String({
    maxLength: 256,
    description:
      "Path in the message, as body.order.id: messages with one value run in order, one call at a time (none; shards and FIFO queues bring theirs)",
  }),
  bisect_on_error: Type.Boolean({
    description: "A call that fails is halved until the bad message is alone (true)",
  }),
  retry: EventRetry,
  max_record_age_ms: Type.Integer({
    minimum: 1000,
    maximum: 30 * 24 * HOUR_MS,
    description: "Older messages are not run, and end as dead letters (7 days)",
  }),
  on_failure: Destination,
  start_position: Type.Union(
    [Type.Enum(["latest", "trim_horizon"]), Type.Object({ at_ms: TimeMs }, closed)],
    { description: "Of streams and listings: where a new source begins (latest)" },
  ),
  enabled: Type.Boolean({ description: "false: paused" }),
};

const { ordering_key, on_failure, ref, ...rest } = eventSourceFields;
const { codeq, webhook, sqs, redis_stream, kinesis, s3, ...always } = rest;
const ofType = { codeq, webhook, sqs, redis_stream, kinesis, s3 };

export const EventSourceRecord = Type.Object(
  {
    tenant: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    /** Drawn at random when it is created; the ids of its activations and its checkpoints are made of it. */
    uid: Type.String(),
    type: Type.Enum([...EVENT_SOURCE_TYPES]),
    ref,
    /** The one of its type is there. */
    ...ofType,
    ...always,
    ordering_key: Type.Optional(ordering_key),
    on_failure: Type.Optional(on_failure),
    created_at_ms: TimeMs,
    updated_at_ms: TimeMs,
  },
  closed,
);
/** An event source as its owner wants it. How it goes is `EventSourceStatus`. */
export type EventSourceRecord = Static<typeof EventSourceRecord>;

export const EVENT_SOURCE_STATES = ["starting", "running", "waiting", "failing", "paused"] as const;

export const EventSourceStatus = Type.Object(
  {
    state: Type.Enum([...EVENT_SOURCE_STATES], {
      description:
        "starting: no poller has taken it yet; running: it reads; waiting: the function's queue is full; failing: see last_error, it is tried again; paused: not enabled",
    }),
    lag: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
      description: "Messages that wait in the source, where it can tell",
    }),
    lag_ms: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
      description: "How old the oldest message is that waits, where it can tell",
    }),
    in_flight: Type.Integer({ minimum: 0, description: "Messages that were read and have not ended" }),
    partitions: Type.Integer({ minimum: 0, description: "Shards that are read, 1 for a queue" }),
    received: Type.Integer({ minimum: 0, description: "Messages read since the poller began" }),
    filtered: Type.Integer({ minimum: 0, description: "Of those: dropped by the filters" }),
    succeeded: Type.Integer({ minimum: 0 }),
    failed: Type.Integer({ minimum: 0, description: "Given up: dead letters, and what on_failure was told" }),
    last_error: Type.Union([
      Type.Object({ at_ms: TimeMs, message: Type.String({ maxLength: 2048 }) }, closed),
      Type.Null(),
    ]),
    last_activation_id: Type.Union([Type.String(), Type.Null()]),
    /** Of the poller, when it said all this. */
    updated_at_ms: Type.Union([TimeMs, Type.Null()]),
  },
  closed,
);
/** How an event source goes, as its poller said last. */
export type EventSourceStatus = Static<typeof EventSourceStatus>;
