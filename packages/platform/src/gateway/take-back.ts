import { TOPICS } from "@sous/contract";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import type { PlacedCall } from "../members/create-placement.ts";

/** How long a member has to take a call that was sent to it, milliseconds. */
export const PATIENCE_MS = 100;

/** A call on its way to a member. */
export interface Placing {
  readonly call: PlacedCall;
  /** When it is looked after; from then on the member is too slow. */
  checkAtMs: number;
}

/** @returns a call that is looked after, sent now */
export const placing = (call: PlacedCall, nowMs: number): Placing => ({
  call,
  checkAtMs: nowMs + PATIENCE_MS,
});

/**
 * Takes a call back that its member has not begun, and gives it to whoever has room: the member may be gone, stand
 * still or be full. Taking it out of the queue and running it exclude each other, so that nothing runs twice.
 * @returns `moved`; `begun` where it runs, or has ended; `unknown` where the queue cannot say
 * @throws CS_CODEQ_PUBLISH_FAILED, CS_QUEUE_FULL when it was taken back and nobody takes it
 */
export async function takeBack(
  codeq: Pick<InvocationCodeQ, "cancel" | "publish">,
  id: string,
  { call }: Placing,
  depthMax: number,
): Promise<"moved" | "begun" | "unknown"> {
  let message: Awaited<ReturnType<InvocationCodeQ["cancel"]>>;
  try {
    message = await codeq.cancel(id, call.topic);
  } catch {
    return "unknown";
  }
  if (message === undefined) return "begun";
  call.waited();
  await codeq.publish({ ...message, topic: TOPICS.invoke }, { depthMax, durable: false });
  return "moved";
}
