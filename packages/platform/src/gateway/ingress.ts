import { createHash } from "node:crypto";
import type { ReplyChannel } from "@sous/codeq";
import {
  type Invocation,
  type Limits,
  PlatformError,
  type Principal,
  type RefTarget,
  type Trigger,
  type VersionRecord,
  idempotentActivationId,
  isTerminal,
  newActivationId,
  TOPICS,
} from "@sous/contract";
import type { Store, TerminalRecord } from "@sous/store";
import { type InvocationReply, replyOf } from "../activations/invocation-reply.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import type { LiveRegistry } from "../activations/live-registry.ts";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";

export interface IngressOptions {
  codeq: InvocationCodeQ;
  store: Store;
  live: LiveRegistry;
  replies: ReplyChannel<InvocationReply>;
  limits: Limits;
  tier: string;
  now: () => number;
}

/** A checked request to run a version once. */
export interface IngressRequest {
  requestId: string;
  tenant: string;
  namespace: string;
  name: string;
  /** As it was sent; part of what makes two requests the same. */
  refText: string;
  target: RefTarget | undefined;
  version: VersionRecord;
  principal: Principal;
  trigger: Trigger;
  eventJson: string;
  /** How long a synchronous caller may wait, in milliseconds. */
  timeoutMs: number;
  idempotencyKey: string | undefined;
  traceparent: string | undefined;
}

/** Turns checked requests into invocations, and what comes back into replies. */
export interface Ingress {
  /** Runs it and waits. `settle` is called once: with the reply, or with why there is none. */
  sync(request: IngressRequest, settle: (reply: InvocationReply | PlatformError) => void): void;
  /** Queues it durably. @returns the activation's id and, where the key was used before, its status then */
  enqueue(request: IngressRequest): Promise<{ activationId: string; replayed: boolean }>;
}

export function createIngress(options: IngressOptions): Ingress {
  const { codeq, store, live, replies, limits, tier, now } = options;

  function invocationOf(
    request: IngressRequest,
    mode: "sync" | "async",
    id: string,
    fingerprint?: string,
  ): Invocation {
    const at = now();
    const { version, target } = request;
    const sync = mode === "sync";
    const deadline = at + request.timeoutMs;
    const retry = version.config.retry;
    const invocation: Invocation = {
      activation_id: id,
      request_id: request.requestId,
      tenant: request.tenant,
      namespace: request.namespace,
      ref:
        target !== undefined && "alias" in target
          ? { function: request.name, alias: target.alias, version: version.version }
          : { function: request.name, version: version.version },
      trigger: request.trigger,
      principal: request.principal,
      deadline_ms: sync ? deadline : 0,
      mode,
      expires_at_ms: sync ? Math.min(deadline, at + limits.syncWaitMaxMs) : at + retry.max_age_ms,
      attempt: 1,
      enqueued_at_ms: at,
      new_id: fingerprint === undefined,
      strict: fingerprint !== undefined || version.config.durability === "strict",
      event_json: request.eventJson,
    };
    if (sync) invocation.reply_to = replies.name;
    if (request.traceparent !== undefined) invocation.traceparent = request.traceparent;
    if (fingerprint !== undefined) invocation.fingerprint = fingerprint;
    return invocation;
  }

  function messageOf(invocation: Invocation) {
    return {
      id: invocation.activation_id,
      topic: TOPICS.invoke,
      tenant: invocation.tenant,
      lane: `${invocation.namespace}/${invocation.ref.function}`,
      body: invocation,
      attempt: 1,
      enqueued_at_ms: invocation.enqueued_at_ms,
      due_at_ms: 0,
      expires_at_ms: invocation.expires_at_ms,
    };
  }

  function submit(
    invocation: Invocation,
    waitMs: number,
    settle: (reply: InvocationReply | PlatformError) => void,
  ): void {
    const { request_id } = invocation;
    const timer = setTimeout(() => {
      replies.forget(request_id);
      const details = { activation_id: invocation.activation_id };
      settle(
        new PlatformError(
          "CS_CODEQ_CORRELATION_TIMEOUT",
          "no answer came in time; read the activation record",
          { details },
        ),
      );
    }, waitMs);
    replies.expect(request_id, (reply) => {
      clearTimeout(timer);
      settle(reply);
    });
    codeq
      .publish(messageOf(invocation), { depthMax: limits.syncDepthMax, durable: false })
      .catch((error: unknown) => {
        clearTimeout(timer);
        replies.forget(request_id);
        settle(asPlatformError(error));
      });
  }

  /** @returns the answer of an earlier request with the same key, live or ended, if there was one */
  async function earlier(request: IngressRequest, id: string, fingerprint: string) {
    const running = live.find(request.tenant, id);
    const known = running?.invocation.fingerprint ?? undefined;
    const stored = running === undefined ? await store.activations.get(request.tenant, id) : undefined;
    const other = known ?? stored?.fingerprint;
    if (other !== undefined && other !== fingerprint) {
      throw new PlatformError("CS_IDEMPOTENCY_CONFLICT", "this Idempotency-Key was used with another body");
    }
    return { running, stored };
  }

  async function syncWithKey(
    request: IngressRequest,
    key: string,
    settle: (reply: InvocationReply | PlatformError) => void,
  ): Promise<void> {
    const id = idOf(request, key);
    const fingerprint = hashOf(request.eventJson);
    const { running, stored } = await earlier(request, id, fingerprint);
    if (stored !== undefined && isTerminal(stored.status)) {
      settle(replyOf(stored as TerminalRecord, true));
      return;
    }
    const again = live.find(request.tenant, id) ?? running;
    if (again === undefined && stored === undefined) {
      submit(invocationOf(request, "sync", id, fingerprint), request.timeoutMs + limits.replyGraceMs, settle);
      return;
    }
    join(again, request, id, settle);
  }

  /** Waits for the end of an activation somebody else started. */
  function join(
    activation: LiveActivation | undefined,
    request: IngressRequest,
    id: string,
    settle: (reply: InvocationReply | PlatformError) => void,
  ): void {
    const details = { activation_id: id };
    const late = new PlatformError(
      "CS_CODEQ_CORRELATION_TIMEOUT",
      "the activation of this key has not ended yet",
      { details },
    );
    if (activation === undefined) {
      settle(late);
      return;
    }
    if (activation.ended !== undefined) {
      settle(replyOf(activation.ended, true));
      return;
    }
    const stop = activation.follow(activation.logs.length, (event) => {
      if (event.type !== "end") return;
      clearTimeout(timer);
      settle(replyOf(event.record as TerminalRecord, true));
    });
    const timer = setTimeout(() => {
      stop();
      settle(late);
    }, request.timeoutMs + limits.replyGraceMs);
  }

  return {
    sync(request, settle) {
      const { idempotencyKey } = request;
      if (idempotencyKey !== undefined) {
        syncWithKey(request, idempotencyKey, settle).catch((error: unknown) =>
          settle(asPlatformError(error)),
        );
        return;
      }
      submit(
        invocationOf(request, "sync", newActivationId()),
        request.timeoutMs + limits.replyGraceMs,
        settle,
      );
    },
    async enqueue(request) {
      const { idempotencyKey } = request;
      const fingerprint = idempotencyKey === undefined ? undefined : hashOf(request.eventJson);
      const id = idempotencyKey === undefined ? newActivationId() : idOf(request, idempotencyKey);
      if (fingerprint !== undefined) {
        const { running, stored } = await earlier(request, id, fingerprint);
        if (running !== undefined || stored !== undefined) return { activationId: id, replayed: true };
      }
      const invocation = invocationOf(request, "async", id, fingerprint);
      const record = new LiveActivation(invocation, request.version.version, tier).record();
      const published = codeq.publish(messageOf(invocation), {
        depthMax: limits.asyncDepthMax,
        durable: true,
      });
      // The record follows the journal: a crash between the two leaves work that runs and writes its record.
      await published;
      await store.activations.create(record).catch((error: unknown) => {
        // The consumer was faster, or the same key came twice at once: there is a record, which is the point.
        if (!(error instanceof PlatformError) || error.code !== "CS_CONFLICT") throw error;
      });
      return { activationId: id, replayed: false };
    },
  };
}

function idOf(request: IngressRequest, key: string): string {
  const { tenant, namespace, name, refText, principal } = request;
  return idempotentActivationId({ tenant, namespace, function: name, ref: refText, sub: principal.sub, key });
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

function asPlatformError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  return new PlatformError("CS_CODEQ_PUBLISH_FAILED", "the call could not be queued", { cause: error });
}
