import { setTimeout as sleep } from "node:timers/promises";
import type { Message } from "@sous/codeq";
import {
  type ActivationRecord,
  type CancelReply,
  type Invocation,
  isTerminal,
  PlatformError,
  TOPICS,
} from "@sous/contract";
import type { TerminalRecord } from "@sous/store";
import { createQueued } from "../activations/create-queued.ts";
import { replyOf } from "../activations/invocation-reply.ts";
import type { ControlContext } from "./control-context.ts";
import { findActivation } from "./find-activation.ts";

/** Pauses before each look for a message, in milliseconds. */
const TAKE_OUT_PAUSES_MS = [0, 20, 100, 300];

/**
 * Asks for an early end: a running activation is stopped, a queued one is taken out of the queue.
 * @returns the status as it stands: `cancelled` for a queued one, what runs ends a moment later
 * @throws CS_NOT_FOUND, or CS_CONFLICT when it has ended
 */
export async function cancelActivation(
  context: Pick<ControlContext, "live" | "codeq" | "store" | "clock" | "queued" | "cancellations">,
  tenant: string,
  activationId: string,
): Promise<CancelReply> {
  const { live, codeq } = context;
  const record = await findActivation(context, tenant, activationId);
  if (isTerminal(record.status)) {
    throw new PlatformError("CS_CONFLICT", `the activation has ended already, with ${record.status}`);
  }
  if (live.cancel(tenant, activationId)) return { activation_id: activationId, status: record.status };
  // Once its message is out of a server's queue nothing else would know of it, should this process end.
  if (codeq.isShared) await createQueued(context.store.activations, record);
  const message = await takeOut(context, tenant, activationId);
  if (message === "running") return { activation_id: activationId, status: "running" };
  if (message === undefined) {
    const { cancellations } = context;
    if (cancellations === undefined) throw ended();
    // Another process runs it, or is about to.
    await cancellations.request(tenant, activationId);
    return { activation_id: activationId, status: "running" };
  }
  const cancelled = await endAsCancelled(context, record).catch(async (error: unknown) => {
    // It is not cancelled then, as far as anybody can tell, and runs unless its record says otherwise when its turn comes.
    const body = { ...message.body, new_id: false };
    if (!isConflict(error))
      await codeq.publish({ ...message, body }, { depthMax: Number.MAX_SAFE_INTEGER, durable: true });
    throw error;
  });
  live.announceEnd(activationId);
  const { reply_to } = message.body;
  if (reply_to !== undefined) codeq.reply(reply_to, activationId, replyOf(cancelled, false));
  return { activation_id: activationId, status: "cancelled" };
}

/**
 * Writes the end of an activation whose message was taken out. Meanwhile an attempt may have failed elsewhere, and the
 * record be that of the next one.
 * @throws CS_CONFLICT when it has ended
 */
async function endAsCancelled(
  { store, clock }: Pick<ControlContext, "store" | "clock">,
  record: ActivationRecord,
): Promise<TerminalRecord> {
  for (let known: ActivationRecord | undefined = record; known !== undefined && !isTerminal(known.status);) {
    const nowMs = clock();
    const cancelled: TerminalRecord = {
      ...known,
      status: "cancelled",
      end_ms: nowMs,
      duration_ms: 0,
      timings: { ...known.timings, queue_ms: Math.max(0, nowMs - known.enqueued_at_ms) },
      error: { type: "Cancelled", message: "cancelled before it started" },
    };
    if (await store.activations.finish(cancelled)) return cancelled;
    const stored = await store.activations.get(known.tenant, known.activation_id);
    // Nobody else has its message: nothing but one late write can come between two looks.
    known = stored?.attempt === known.attempt && stored.status === known.status ? undefined : stored;
  }
  throw ended();
}

const isConflict = (error: unknown): boolean =>
  error instanceof PlatformError && error.code === "CS_CONFLICT";

const ended = (): PlatformError =>
  new PlatformError("CS_CONFLICT", "the activation has just ended; read its record");

/**
 * Takes the message of an activation out of the queue. It may be on its way to this process, or back from one that
 * took it and had no room: both last a moment, so it is asked for again.
 */
async function takeOut(
  { live, codeq }: Pick<ControlContext, "live" | "codeq">,
  tenant: string,
  activationId: string,
): Promise<Message<Invocation> | "running" | undefined> {
  for (const pauseMs of TAKE_OUT_PAUSES_MS) {
    await sleep(pauseMs);
    const message = await codeq.cancel(activationId, TOPICS.invoke);
    if (message !== undefined) return message;
    if (live.cancel(tenant, activationId)) return "running";
  }
  return undefined;
}
