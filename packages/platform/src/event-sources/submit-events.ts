import { createHash } from "node:crypto";
import type { ReplyChannel } from "@sous/codeq";
import {
  derivedActivationId,
  type Destinations,
  type EventSourceRecord,
  type FunctionError,
  type FunctionResult,
  type Invocation,
  isTerminal,
  type Limits,
  newRequestId,
  type Principal,
  type VersionConfig,
} from "@sous/contract";
import type { Store, TerminalRecord } from "@sous/store";
import { type InvocationReply, replyOf } from "../activations/invocation-reply.ts";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import { queueInvocation } from "../activations/queue-invocation.ts";
import { reportedFailures } from "../activations/reported-failures.ts";
import { requireTriggerRole, triggerRoles } from "../auth/authorize.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { EVENTS_PRINCIPAL } from "../events/events-principal.ts";
import { refTargetOf } from "../events/ref-target.ts";
import type { SourceMessage } from "./adapter.ts";
import type { Sleep } from "./sleep.ts";
import { triggerSource } from "./trigger-source.ts";

/** How often an activation is asked after whose reply may have been lost, milliseconds. */
const LOOK_MS = 2000;

export interface EventSubmitterOptions {
  codeq: Pick<InvocationCodeQ, "publish" | "lookup">;
  replies: ReplyChannel<InvocationReply>;
  store: Pick<Store, "activations">;
  catalog: Catalog;
  limits: Pick<Limits, "asyncDepthMax">;
  /** Where what it submits will run, for the record. */
  tier: string;
  clock: () => number;
  sleep: Sleep;
}

/** One call with messages of a source. */
export interface EventBatch {
  partition: string;
  messages: readonly SourceMessage[];
  /** For the record. */
  attempt: number;
  /** Tells calls with the same messages apart. */
  tries: number;
  /** A failure is for good. */
  isLast: boolean;
  /** Not run from this moment on, epoch milliseconds. */
  expiresAtMs: number;
}

/** How a call ended. */
export interface EventEnd {
  activationId: string;
  /** Absent where it went well. */
  error: FunctionError | undefined;
  result: FunctionResult | undefined;
  /** Somebody stopped it. */
  isCancelled: boolean;
}

/** Turns messages of sources into activations, and waits for their ends. */
export interface EventSubmitter {
  /**
   * Queues a call, and waits for its end. Its id is made of the source and the messages: the same call is not run twice,
   * but answered from its record.
   * @returns `undefined` when the signal came first: the call goes on without us
   * @throws CS_QUEUE_FULL, CS_NOT_FOUND, CS_AUTHZ_ROLE_MISSING, CS_CODEQ_PUBLISH_FAILED, CS_STORE_UNAVAILABLE
   */
  run(source: EventSourceRecord, batch: EventBatch, signal: AbortSignal): Promise<EventEnd | undefined>;
  /** Leaves a record that says why a message is not run. */
  refuse(source: EventSourceRecord, partition: string, message: SourceMessage, why: string): Promise<void>;
}

export function createEventSubmitter(options: EventSubmitterOptions): EventSubmitter {
  const { codeq, replies, store, catalog, limits, tier, clock, sleep } = options;

  /** Looks for the record of an end that nobody told us of: of a call that was queued before, or by another process. */
  async function lookFor(
    tenant: string,
    id: string,
    signal: AbortSignal,
  ): Promise<InvocationReply | undefined> {
    while (!signal.aborted) {
      await sleep(LOOK_MS, signal);
      if (signal.aborted) break;
      const record = await store.activations.get(tenant, id).catch(() => undefined);
      if (record !== undefined && isTerminal(record.status)) return replyOf(record as TerminalRecord, true);
    }
    return undefined;
  }

  /** A message whose last attempt it would be may have ended well before, and its source was not told. */
  async function endedWell(source: EventSourceRecord, batch: EventBatch): Promise<EventEnd | undefined> {
    if (!batch.messages.some(({ attempt }) => attempt > 1)) return undefined;
    const id = eventActivationId(source, { ...batch, tries: 1, isLast: false });
    const record = await store.activations.get(source.tenant, id);
    if (record?.status !== "success") return undefined;
    const reported = reportedFailures(record.result);
    if (reported === "malformed" || reported.failed.length > 0) return undefined;
    return endOf(id, replyOf(record as TerminalRecord, true));
  }

  return {
    async run(source, batch, signal) {
      const { tenant, namespace, ref } = source;
      if (batch.isLast) {
        const before = await endedWell(source, batch);
        if (before !== undefined) return before;
      }
      const key = { tenant, namespace, name: ref.function };
      const version = await catalog.resolve(key, refTargetOf(ref));
      requireTriggerRole(EVENTS_PRINCIPAL, triggerRoles(version.config.authz, "event"));
      const invocation = invocationOf(source, batch, version.version, clock());
      invocation.strict = version.config.durability === "strict";
      const destinations = destinationsOfBatch(source, batch, version.config);
      if (destinations !== undefined) invocation.destinations = destinations;
      const { activation_id } = invocation;
      const told = Promise.withResolvers<InvocationReply>();
      const over = new AbortController();
      const address = replies.expect(activation_id, told.resolve);
      invocation.reply_to = address;
      try {
        await queueInvocation({ codeq, store, tier }, invocation, limits.asyncDepthMax);
        const ends = AbortSignal.any([signal, over.signal]);
        const reply = await Promise.race([told.promise, lookFor(tenant, activation_id, ends)]);
        if (reply === undefined) return undefined;
        if (reply.unrecorded !== undefined) throw reply.unrecorded;
        return endOf(activation_id, reply);
      } finally {
        over.abort();
        replies.forget(address, activation_id);
      }
    },
    async refuse(source, partition, message, why) {
      const batch = {
        partition,
        messages: [message],
        attempt: message.attempt,
        tries: 1,
        isLast: true,
        expiresAtMs: 0,
      };
      const invocation = invocationOf(source, batch, 0, clock());
      const nowMs = clock();
      await store.activations.finish({
        ...new LiveActivation(invocation, 0, tier).record(),
        status: "error",
        end_ms: nowMs,
        duration_ms: 0,
        error: { type: "BudgetExceeded", message: why },
      });
    },
  };
}

const endOf = (activationId: string, { status, error, result }: InvocationReply): EventEnd => ({
  activationId,
  error:
    status === "success" || status === "cancelled"
      ? undefined
      : (error ?? { type: "Exception", message: `it ended with ${status}` }),
  result,
  isCancelled: status === "cancelled",
});

function invocationOf(
  source: EventSourceRecord,
  batch: EventBatch,
  version: number,
  nowMs: number,
): Invocation {
  const { tenant, namespace, ref } = source;
  const { messages, isLast, expiresAtMs } = batch;
  const [first] = messages as readonly [SourceMessage];
  const invocation: Invocation = {
    activation_id: eventActivationId(source, batch),
    request_id: newRequestId(),
    tenant,
    namespace,
    ref: version === 0 ? { ...ref } : { ...ref, version },
    trigger: { type: "event", source: triggerSource(source, batch) },
    principal: EVENTS_PRINCIPAL as Principal,
    deadline_ms: 0,
    mode: "async",
    expires_at_ms: expiresAtMs,
    attempt: 1,
    enqueued_at_ms: nowMs,
    new_id: false,
    strict: false,
    source_attempt: isLast ? "last" : "more",
    event_json: `{"Records":[${messages.map(({ json }) => json).join(",")}]}`,
  };
  const depth = Math.max(...messages.map((message) => message.depth ?? 0));
  if (depth > 0) invocation.depth = depth;
  if (messages.length === 1 && first.traceparent !== undefined) invocation.traceparent = first.traceparent;
  return invocation;
}

/**
 * @returns who is told of a batch's end: the version's destinations, the source's own before them. A failure is told once
 * there is no further attempt.
 */
function destinationsOfBatch(
  source: Pick<EventSourceRecord, "on_failure">,
  { isLast }: Pick<EventBatch, "isLast">,
  config: VersionConfig,
): Destinations | undefined {
  const { on_success } = config;
  const on_failure = isLast ? (source.on_failure ?? config.on_failure) : undefined;
  if (on_success === undefined && on_failure === undefined) return undefined;
  return {
    ...(on_success === undefined ? {} : { on_success }),
    ...(on_failure === undefined ? {} : { on_failure }),
  };
}

function eventActivationId(
  { uid }: EventSourceRecord,
  { partition, messages, tries, isLast }: Omit<EventBatch, "attempt" | "expiresAtMs">,
): string {
  const hash = createHash("sha256");
  for (const { id } of messages) hash.update(`${id.length}:${id}`);
  const last = isLast ? ":last" : "";
  return derivedActivationId("event", `${uid}:${partition}:${hash.digest("hex")}:${tries}${last}`);
}
