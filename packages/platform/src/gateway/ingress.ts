import { createHash } from "node:crypto";
import type { ReplyChannel } from "@sous/codeq";
import {
  type ActivationRecord,
  type FunctionRef,
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
import { createQueued } from "../activations/create-queued.ts";
import { destinationsOf } from "../activations/destination-task.ts";
import { type InvocationReply, replyOf } from "../activations/invocation-reply.ts";
import { LiveActivation } from "../activations/live-activation.ts";
import { SlotList } from "../activations/slot-list.ts";
import type { LiveRegistry } from "../activations/live-registry.ts";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import type { Placement } from "../members/create-placement.ts";
import { fingerprintOf } from "./fingerprint-of.ts";
import { PATIENCE_MS, type Placing, placing, takeBack } from "./take-back.ts";
import { watchEnd } from "./watch-end.ts";

export interface IngressOptions {
  codeq: InvocationCodeQ;
  store: Store;
  live: LiveRegistry;
  replies: ReplyChannel<InvocationReply>;
  limits: Limits;
  tier: string;
  now: () => number;
  /** Chooses who runs a synchronous call; absent: whoever has room. */
  placement?: Placement | undefined;
  /** Whether nobody would run a call any more: the process ends, and its queue with it (never). */
  isEnding?: (() => boolean) | undefined;
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
  /** Of a queued one: how long it is not started, in milliseconds. */
  delayMs: number | undefined;
  /** What makes two requests with one key the same, where that is not the whole event. */
  sameness?: string;
  traceparent: string | undefined;
  /** How many functions called one another up to this request. */
  depth: number;
}

/** Turns checked requests into invocations, and what comes back into replies. */
export interface Ingress {
  /** Runs it and waits. `settle` is called once: with the reply, or with why there is none. */
  sync(request: IngressRequest, settle: (reply: InvocationReply | PlatformError) => void): void;
  /** Queues it durably. @returns the activation's id, and whether the key was used before */
  enqueue(request: IngressRequest): Promise<{ activationId: string; replayed: boolean }>;
}

type Settle = (reply: InvocationReply | PlatformError) => void;

/** Somebody who waits for the answer of one activation. */
interface Caller {
  id: string;
  /** Where its answer goes. */
  address: string;
  untilMs: number;
  /** Taken out when it is called: what is left of a caller holds nothing of its request. */
  settle: Settle | undefined;
  slot: number;
  /** Of a call that was sent to one invoker. */
  placing: Placing | undefined;
}

/** How late a caller may learn that no answer came, in milliseconds. */
const SWEEP_MS = 25;

/** A request with an idempotency key on its way in this process; the same request joins it. */
interface OpenKey {
  fingerprint: string;
  /** Wait for the same answer. */
  others: Settle[];
  /** Of an asynchronous one: settles when it is acknowledged. */
  accepted?: Promise<unknown>;
}

export function createIngress(options: IngressOptions): Ingress {
  const { codeq, store, live, replies, limits, tier, now, placement, isEnding = () => false } = options;
  const open = new Map<string, OpenKey>();
  const callers = new SlotList<Caller>();

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
      ref: refOf(request.name, version, target !== undefined && "alias" in target ? target.alias : undefined),
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
    if (request.traceparent !== undefined) invocation.traceparent = request.traceparent;
    if (fingerprint !== undefined) invocation.fingerprint = fingerprint;
    if (request.depth > 0) invocation.depth = request.depth;
    const destinations = sync ? undefined : destinationsOf(version.config);
    if (destinations !== undefined) invocation.destinations = destinations;
    if (request.delayMs !== undefined && request.delayMs > 0) invocation.due_at_ms = at + request.delayMs;
    return invocation;
  }

  function messageOf(invocation: Invocation, version: VersionRecord, topic: string = TOPICS.invoke) {
    return {
      id: invocation.activation_id,
      topic,
      tenant: invocation.tenant,
      lane: laneOf(invocation, version),
      body: invocation,
      attempt: 1,
      enqueued_at_ms: invocation.enqueued_at_ms,
      due_at_ms: invocation.due_at_ms ?? 0,
      expires_at_ms: invocation.expires_at_ms,
    };
  }

  function submit(invocation: Invocation, request: IngressRequest, settle: Settle): void {
    // Not the request id: that one is the caller's to choose, and two callers may choose the same.
    const { activation_id } = invocation;
    const untilMs = invocation.enqueued_at_ms + request.timeoutMs + limits.replyGraceMs;
    const caller: Caller = { id: activation_id, address: "", untilMs, settle, slot: 0, placing: undefined };
    caller.slot = callers.add(caller);
    caller.address = replies.expect(activation_id, (reply) => {
      leave(caller, true);
      release(caller)?.(reply.unrecorded ?? reply);
    });
    invocation.reply_to = caller.address;
    // The queue knows repeated requests by their id, within one topic: those with a key all go to the same.
    const chosen = invocation.fingerprint === undefined ? placement?.choose(request) : undefined;
    if (chosen !== undefined) caller.placing = placing(chosen, invocation.enqueued_at_ms);
    codeq
      .publish(messageOf(invocation, request.version, chosen?.topic), {
        depthMax: limits.syncDepthMax,
        durable: false,
      })
      .catch((error: unknown) => giveUp(caller, asPlatformError(error)));
  }

  /** @returns what to call with the answer, once */
  function release(caller: Caller): Settle | undefined {
    const { settle } = caller;
    caller.settle = undefined;
    callers.delete(caller.slot, caller);
    return settle;
  }

  /** Ends what is counted of a call that was sent to one invoker. */
  function leave(caller: Caller, answered: boolean): void {
    const { placing: sent } = caller;
    if (sent === undefined) return;
    caller.placing = undefined;
    if (answered) sent.call.answered();
    else sent.call.gone();
  }

  /** An invoker has had its time to take a call: what it has not begun goes to whoever has room. */
  function lookAfter(caller: Caller, sent: Placing, nowMs: number): void {
    sent.checkAtMs = Infinity;
    takeBack(codeq, caller.id, sent, limits.syncDepthMax).then(
      (outcome) => {
        if (outcome === "unknown") sent.checkAtMs = nowMs + 10 * PATIENCE_MS;
        else if (outcome === "moved") caller.placing = undefined;
      },
      (error: unknown) => giveUp(caller, asPlatformError(error)),
    );
  }

  function giveUp(caller: Caller, error: PlatformError): void {
    leave(caller, false);
    replies.forget(caller.address, caller.id);
    release(caller)?.(error);
  }

  // Answers come from the invoker, in time; this is for those that never come. One look for all callers costs
  // less than a timer for each.
  const sweeper = setInterval(() => {
    const at = now();
    for (const caller of callers) {
      const { placing: sent } = caller;
      if (sent !== undefined && at >= sent.checkAtMs) lookAfter(caller, sent, at);
      if (at < caller.untilMs) continue;
      giveUp(caller, tooLate("no answer came in time; read the activation record", caller.id));
    }
  }, SWEEP_MS);
  sweeper.unref();

  /** @returns what there is of an earlier request with the same key, live or ended. @throws CS_IDEMPOTENCY_CONFLICT */
  async function earlier(request: IngressRequest, id: string, fingerprint: string) {
    let running = live.find(request.tenant, id);
    const stored = running === undefined ? await store.activations.get(request.tenant, id) : undefined;
    // Asked again: it may have begun meanwhile.
    running ??= live.find(request.tenant, id);
    const other = running?.invocation.fingerprint ?? stored?.fingerprint;
    if (other !== undefined && other !== fingerprint) throw conflict();
    return { running, stored };
  }

  async function begin(
    request: IngressRequest,
    id: string,
    fingerprint: string,
    settle: Settle,
  ): Promise<void> {
    const { running, stored } = await earlier(request, id, fingerprint);
    if (running !== undefined) join(running, request, settle);
    else if (stored !== undefined && isTerminal(stored.status))
      settle(replyOf(stored as TerminalRecord, true));
    else if (stored === undefined) {
      // In a queue of several processes the same request may have come in elsewhere a moment ago: this one is then dropped.
      const mine = codeq.isShared ? orEnd(request, id, fingerprint, settle) : settle;
      submit(invocationOf(request, "sync", id, fingerprint), request, mine);
    } else {
      const other = orEnd(request, id, fingerprint, settle);
      const late = tooLate("the activation of this key has not ended yet", id);
      setTimeout(() => other(late), request.timeoutMs + limits.replyGraceMs);
    }
  }

  /** @returns what to call with an answer; where the activation ends first, its record is the answer */
  function orEnd(request: IngressRequest, id: string, fingerprint: string, settle: Settle): Settle {
    let isSettled = false;
    const settleOnce: Settle = (reply) => {
      stop();
      if (!isSettled) settle(reply);
      isSettled = true;
    };
    const stop = watchEnd(
      () => store.activations.get(request.tenant, id),
      (record) => settleOnce(record.fingerprint === fingerprint ? replyOf(record, true) : conflict()),
    );
    return settleOnce;
  }

  /** Waits for the end of an activation somebody else started. */
  function join(activation: LiveActivation, request: IngressRequest, settle: Settle): void {
    if (activation.closed && activation.ended !== undefined) {
      settle(replyOf(activation.ended, true));
      return;
    }
    const late = tooLate("the activation of this key has not ended yet", activation.invocation.activation_id);
    const stop = activation.follow(Infinity, (event) => {
      if (event.type !== "end") return;
      clearTimeout(timer);
      settle(isTerminal(event.record.status) ? replyOf(event.record as TerminalRecord, true) : late);
    });
    const timer = setTimeout(() => {
      stop();
      settle(late);
    }, request.timeoutMs + limits.replyGraceMs);
  }

  function syncWithKey(request: IngressRequest, key: string, settle: Settle): void {
    const id = idOf(request, key);
    const fingerprint = hashOf(request.sameness ?? request.eventJson);
    const first = open.get(id);
    if (first !== undefined) {
      if (first.fingerprint !== fingerprint) settle(conflict());
      else first.others.push(settle);
      return;
    }
    const mine: OpenKey = { fingerprint, others: [] };
    open.set(id, mine);
    const settleAll: Settle = (reply) => {
      open.delete(id);
      settle(reply);
      const again = reply instanceof PlatformError ? reply : { ...reply, replayed: true };
      for (const other of mine.others) other(again);
    };
    begin(request, id, fingerprint, settleAll).catch((error: unknown) => settleAll(asPlatformError(error)));
  }

  /** @returns whether the queue took it: not where it has one of this id, or had it a moment ago */
  async function publish(invocation: Invocation, version: VersionRecord): Promise<boolean> {
    const message = messageOf(invocation, version);
    const depthMax = limits.asyncDepthMax;
    // The queue itself tells what waits in it. A key needs a record: the same request must find it later.
    if (codeq.lookup !== undefined && invocation.fingerprint === undefined) {
      await codeq.publish(message, { depthMax, durable: true });
      return true;
    }
    const record = new LiveActivation(invocation, version.version, tier).record();
    let isTaken = false;
    let hadRecord = false;
    const together = async (): Promise<void> => {
      isTaken = true;
      hadRecord = !(await createQueued(store.activations, record));
    };
    await codeq.publish(message, { depthMax, durable: true, together });
    if (hadRecord) await checkSame(record);
    return isTaken;
  }

  /**
   * A record that is there already is this work's own, where it began before this, or that of the same key a moment ago: a queue
   * forgets what has ended. Then the message does nothing, as its activation has ended.
   */
  async function checkSame({ tenant, activation_id, fingerprint }: ActivationRecord): Promise<void> {
    const stored = await store.activations.get(tenant, activation_id);
    if (stored !== undefined && stored.fingerprint !== fingerprint) throw conflict();
  }

  async function enqueueWithKey(request: IngressRequest, key: string) {
    const activationId = idOf(request, key);
    const fingerprint = hashOf(request.sameness ?? request.eventJson);
    const first = open.get(activationId);
    if (first !== undefined) {
      if (first.fingerprint !== fingerprint) throw conflict();
      // Acknowledged when the first one is, never before.
      await first.accepted;
      return { activationId, replayed: true };
    }
    const accept = async (): Promise<boolean> => {
      const { running, stored } = await earlier(request, activationId, fingerprint);
      if (running !== undefined || stored !== undefined) return true;
      const invocation = invocationOf(request, "async", activationId, fingerprint);
      if (await publish(invocation, request.version)) return false;
      // The same request came in elsewhere a moment ago, or one with another body did.
      if ((await fingerprintOf({ codeq, store }, request.tenant, activationId)) !== fingerprint)
        throw conflict();
      return true;
    };
    const accepted = accept();
    const mine: OpenKey = { fingerprint, others: [], accepted };
    open.set(activationId, mine);
    try {
      return { activationId, replayed: await accepted };
    } finally {
      open.delete(activationId);
      // Somebody who waits for the result meanwhile finds the activation now.
      for (const other of mine.others) syncWithKey(request, key, other);
    }
  }

  return {
    sync(request, settle) {
      const { idempotencyKey } = request;
      if (isEnding()) {
        settle(ended());
        return;
      }
      if (idempotencyKey !== undefined) syncWithKey(request, idempotencyKey, settle);
      else submit(invocationOf(request, "sync", newActivationId()), request, settle);
    },
    async enqueue(request) {
      const { idempotencyKey, version, delayMs } = request;
      if (delayMs !== undefined) checkDelay(delayMs, version.config.retry.max_age_ms);
      if (idempotencyKey !== undefined) return await enqueueWithKey(request, idempotencyKey);
      const invocation = invocationOf(request, "async", newActivationId());
      await publish(invocation, version);
      return { activationId: invocation.activation_id, replayed: false };
    },
  };
}

const refs = new WeakMap<VersionRecord, Map<string | undefined, FunctionRef>>();

/** The reference of a version by an alias: one object for all its calls, so that their records can share it. */
function refOf(name: string, version: VersionRecord, alias: string | undefined): FunctionRef {
  let byAlias = refs.get(version);
  if (byAlias === undefined) refs.set(version, (byAlias = new Map()));
  let ref = byAlias.get(alias);
  if (ref === undefined) {
    ref =
      alias === undefined
        ? { function: name, version: version.version }
        : { function: name, alias, version: version.version };
    byAlias.set(alias, ref);
  }
  return ref;
}

const lanes = new WeakMap<VersionRecord, string>();

/** The lane of a function; one string a version, so that the queue need not hash a new one for each call. */
function laneOf({ namespace, ref }: Invocation, version: VersionRecord): string {
  let lane = lanes.get(version);
  if (lane === undefined) lanes.set(version, (lane = `${namespace}/${ref.function}`));
  return lane;
}

function idOf(request: IngressRequest, key: string): string {
  const { tenant, namespace, name, refText, principal } = request;
  return idempotentActivationId({ tenant, namespace, function: name, ref: refText, sub: principal.sub, key });
}

/** Work that would be too old when its time comes is refused now. @throws CS_VALIDATION_FAILED */
function checkDelay(delayMs: number, maxAgeMs: number): void {
  if (delayMs < maxAgeMs) return;
  const message = `a delay of ${delayMs} ms is not within the version's retry.max_age_ms of ${maxAgeMs}; publish with a greater one`;
  throw new PlatformError("CS_VALIDATION_FAILED", message);
}

const ended = (): PlatformError =>
  new PlatformError("CS_DRAINING", "this process is shutting down and begins no more calls; try again", {
    retryAfterSeconds: 1,
  });

const conflict = (): PlatformError =>
  new PlatformError("CS_IDEMPOTENCY_CONFLICT", "this Idempotency-Key was used with another body");

const tooLate = (message: string, activationId: string): PlatformError =>
  new PlatformError("CS_CODEQ_CORRELATION_TIMEOUT", message, { details: { activation_id: activationId } });

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

function asPlatformError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  return new PlatformError("CS_CODEQ_PUBLISH_FAILED", "the call could not be queued", { cause: error });
}
