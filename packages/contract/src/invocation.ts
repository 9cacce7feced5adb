import Type, { type Static } from "typebox";
import { Destinations } from "./destination.ts";
import { LIMITS } from "./limits.ts";
import { AliasName, ResourceName, TenantId, VersionNumber } from "./names.ts";

const closed = { additionalProperties: false } as const;

export const TRIGGER_TYPES = ["http", "schedule", "cadence", "api", "event"] as const;
export type TriggerType = (typeof TRIGGER_TYPES)[number];
export const INVOCATION_MODES = ["sync", "async"] as const;
export type InvocationMode = (typeof INVOCATION_MODES)[number];

const Uuid = Type.String({ pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" });
const TimeMs = Type.Integer({ minimum: 0 });

export const FunctionRef = Type.Object(
  { function: ResourceName, alias: Type.Optional(AliasName), version: Type.Optional(VersionNumber) },
  closed,
);
export type FunctionRef = Static<typeof FunctionRef>;

export const Principal = Type.Object(
  {
    sub: Type.String({ minLength: 1, maxLength: 256 }),
    roles: Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 256 }),
  },
  closed,
);
/** Who calls: subject and roles, as the token said. */
export type Principal = Static<typeof Principal>;

export const Trigger = Type.Object(
  {
    type: Type.Enum([...TRIGGER_TYPES]),
    source: Type.Record(Type.String(), Type.Unknown()),
  },
  closed,
);
export type Trigger = Static<typeof Trigger>;

const requestFields = {
  activation_id: Uuid,
  request_id: Type.String({ minLength: 8, maxLength: 64 }),
  tenant: TenantId,
  namespace: ResourceName,
  ref: FunctionRef,
  trigger: Trigger,
  principal: Principal,
  /** Synchronous: arrival + timeout. Asynchronous: 0 until an attempt starts. */
  deadline_ms: TimeMs,
  mode: Type.Enum([...INVOCATION_MODES]),
  /** The channel the result goes back on; absent when nobody waits. */
  reply_to: Type.Optional(Type.String({ maxLength: 128 })),
  /** After this time queued work is not started any more. */
  expires_at_ms: TimeMs,
  /** Attempt number, from 1. */
  attempt: Type.Integer({ minimum: 1 }),
  traceparent: Type.Optional(Type.String({ maxLength: 128 })),
  /** How many functions called one another up to this one; absent for the first. */
  depth: Type.Optional(Type.Integer({ minimum: 1 })),
  enqueued_at_ms: TimeMs,
  /** Not started before; absent for at once. */
  due_at_ms: Type.Optional(TimeMs),
  /** The id was drawn at random for this request and is delivered for the first time: no record can exist. */
  new_id: Type.Boolean(),
  /** Hash of the event, kept with an idempotency key to tell another body apart. */
  fingerprint: Type.Optional(Type.String({ maxLength: 64 })),
  /**
   * Of work whose source decides about further attempts: the queue makes none. `more`: a failure is the source's to deal
   * with; `last`: it is a dead letter, also where the function only reports all of its items as failed.
   */
  source_attempt: Type.Optional(Type.Enum(["more", "last"])),
  /** Of queued work: who is told of its end. */
  destinations: Type.Optional(Destinations),
  /** Record first, answer second. */
  strict: Type.Boolean(),
};

/** `cs.invoke.v1`: a request to run a function once (SPEC 4). */
export const InvocationRequest = Type.Object({ ...requestFields, event: Type.Unknown() }, closed);
export type InvocationRequest = Static<typeof InvocationRequest>;

/**
 * An invocation on its way through the platform: the request with its event kept as JSON text, so that
 * no stage between ingress and isolate has to parse or print it again.
 */
export interface Invocation extends Omit<InvocationRequest, "event"> {
  event_json: string;
}

export const FunctionResult = Type.Object(
  {
    statusCode: Type.Integer({ minimum: 100, maximum: 599 }),
    headers: Type.Record(Type.String(), Type.String()),
    /** Each a `Set-Cookie` of its own; absent when there are none. */
    cookies: Type.Optional(
      Type.Array(Type.String({ maxLength: LIMITS.responseCookieCharactersMax }), {
        maxItems: LIMITS.responseCookiesMax,
      }),
    ),
    body: Type.String(),
    isBase64Encoded: Type.Boolean(),
  },
  closed,
);
/** What a handler returned, normalised (SPEC 3). */
export type FunctionResult = Static<typeof FunctionResult>;

export const ERROR_TYPES = [
  "Timeout",
  "MemoryLimit",
  "Exception",
  "CapabilityDenied",
  "SandboxCrashed",
  "BundleError",
  "ResultTooLarge",
  "Cancelled",
  "Expired",
  "BudgetExceeded",
  "RoleMissing",
] as const;
export type FunctionErrorType = (typeof ERROR_TYPES)[number];

export const FunctionError = Type.Object(
  {
    type: Type.Enum([...ERROR_TYPES]),
    message: Type.String({ maxLength: 65_536 }),
    stack: Type.Optional(Type.String({ maxLength: 8192 })),
    /** The budget that was used up, where it was one, and how much it was. */
    details: Type.Optional(
      Type.Object({ budget: Type.String(), limit: Type.Integer({ minimum: 0 }) }, closed),
    ),
  },
  closed,
);
/** Why an activation failed: a value, never thrown. */
export type FunctionError = Static<typeof FunctionError>;

export const TERMINAL_STATUSES = ["success", "error", "timeout", "cancelled"] as const;
export type TerminalStatus = (typeof TERMINAL_STATUSES)[number];
export const ACTIVATION_STATUSES = ["queued", "running", ...TERMINAL_STATUSES] as const;
export type ActivationStatus = (typeof ACTIVATION_STATUSES)[number];

export const isTerminal = (status: ActivationStatus): status is TerminalStatus =>
  status !== "queued" && status !== "running";

/** `cs.results.v1`: exactly one an activation, after its last attempt. */
export const InvocationResult = Type.Object(
  {
    activation_id: Uuid,
    request_id: Type.String({ minLength: 8, maxLength: 64 }),
    status: Type.Enum([...TERMINAL_STATUSES]),
    duration_ms: Type.Number({ minimum: 0 }),
    result: Type.Optional(FunctionResult),
    error: Type.Optional(FunctionError),
  },
  closed,
);
export type InvocationResult = Static<typeof InvocationResult>;

/** `cs.envelope.v1`: what every message on the wire is wrapped in. */
export const Envelope = Type.Object(
  {
    schema: Type.Literal("cs.envelope.v1"),
    id: Type.String({ pattern: "^msg_[0-9A-HJKMNP-TV-Z]{26}$" }),
    ts_ms: TimeMs,
    tenant: TenantId,
    type: Type.Enum(["InvocationRequest", "InvocationResult", "RuntimePublish"]),
    body: Type.Unknown(),
  },
  closed,
);
export type Envelope = Static<typeof Envelope>;

/** The topics of the platform itself; functions may publish to none of them. */
export const TOPICS = {
  invoke: "cs.invoke",
  results: "cs.results",
  deadInvoke: "cs.dlq.invoke",
  deadResults: "cs.dlq.results",
  deliver: "cs.deliver",
  cadenceHeartbeat: "cs.cadence.heartbeat",
} as const;
