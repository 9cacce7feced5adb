import type { ServerResponse } from "node:http";
import { type ActivationRecord, isTerminal, PlatformError } from "@sous/contract";
import type { ControlContext } from "./control-context.ts";
import { findActivation } from "./find-activation.ts";

/**
 * Reads an activation, when it has ended or the time is up: a long poll. It is woken by the end; only where other
 * processes may run it is the store asked again meanwhile.
 * @param response of the caller: when it closes, nobody waits any more
 * @param waitSeconds 0–30; 0 answers at once
 * @throws CS_NOT_FOUND, CS_RATE_LIMITED when too many wait already
 */
export async function awaitActivation(
  context: ControlContext,
  response: ServerResponse,
  tenant: string,
  activationId: string,
  waitSeconds: number,
): Promise<ActivationRecord> {
  const untilMs = performance.now() + waitSeconds * 1000;
  let record = await findActivation(context, tenant, activationId);
  while (!isTerminal(record.status)) {
    const leftMs = untilMs - performance.now();
    if (leftMs <= 0 || context.closing.aborted || response.destroyed) break;
    const pauseMs = context.runsElsewhere ? Math.min(leftMs, context.followIntervalMs) : leftMs;
    record = await afterEnd(context, response, tenant, activationId, pauseMs);
  }
  return record;
}

/** Waits for the end, for the time, or for the caller to go. @returns the record as it is then */
async function afterEnd(
  context: ControlContext,
  response: ServerResponse,
  tenant: string,
  activationId: string,
  pauseMs: number,
): Promise<ActivationRecord> {
  const { live, closing } = context;
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = live.onEnd(activationId, resolve);
  if (stop === undefined) {
    const message = "too many callers wait for activations; read it without wait, and again later";
    throw new PlatformError("CS_RATE_LIMITED", message, { retryAfterSeconds: 1 });
  }
  const timer = setTimeout(resolve, pauseMs);
  const leave = (): void => resolve();
  closing.addEventListener("abort", leave);
  response.once("close", leave);
  try {
    // Looked at once more now that somebody listens: it may have ended in between.
    const record = await findActivation(context, tenant, activationId);
    if (isTerminal(record.status)) return record;
    await promise;
    return await findActivation(context, tenant, activationId);
  } finally {
    stop();
    clearTimeout(timer);
    closing.removeEventListener("abort", leave);
    response.off("close", leave);
  }
}
