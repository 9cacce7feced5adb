import { setTimeout as sleep } from "node:timers/promises";
import { type ActivationRecord, isTerminal, LIMITS } from "@sous/contract";
import type { ControlContext } from "./control-context.ts";
import type { EventStream } from "./event-stream.ts";
import { findActivation } from "./find-activation.ts";
import { readChunks } from "./read-logs.ts";

/**
 * Streams an activation's log from a chunk on until its end: as it is written where it is live here, else by
 * looking into the store again and again. Events: `chunk {index, text}` with the next cursor as id, then one
 * `end {activation_id, status, duration_ms}`.
 */
export async function followActivation(
  context: ControlContext,
  tenant: string,
  activationId: string,
  from: number,
  stream: EventStream,
): Promise<void> {
  let next = from;
  const sendChunk = (index: number, text: string): void => {
    // What both the memory and the store told is sent once.
    if (index < next) return;
    next = index + 1;
    stream.send("chunk", { index, text }, String(next));
  };

  while (!stream.closed.aborted) {
    const ended = await followLive(context, tenant, activationId, next, stream, sendChunk);
    const record = ended ?? (await findActivation(context, tenant, activationId));
    // After the record, so that a terminal one has all its chunks.
    const chunks = await readChunks(context, tenant, activationId, next, LIMITS.pageSizeMax);
    const start = next;
    chunks.forEach((text, offset) => sendChunk(start + offset, text));
    if (chunks.length === LIMITS.pageSizeMax) continue;
    if (isTerminal(record.status)) {
      const { status, duration_ms } = record;
      stream.send("end", { activation_id: activationId, status, duration_ms });
      stream.end();
      return;
    }
    if (chunks.length === 0) await pause(context.followIntervalMs, stream.closed);
  }
}

/** @returns the terminal record once it has ended here, or `undefined` when it is not live here */
function followLive(
  { live }: ControlContext,
  tenant: string,
  activationId: string,
  from: number,
  stream: EventStream,
  sendChunk: (index: number, text: string) => void,
): Promise<ActivationRecord | undefined> {
  return new Promise((resolve) => {
    const stop = live.follow(tenant, activationId, from, (event) => {
      if (event.type === "chunk") sendChunk(event.index, event.text);
      else resolve(event.record);
    });
    if (stop === undefined) {
      resolve(undefined);
      return;
    }
    const leave = (): void => {
      stop();
      resolve(undefined);
    };
    if (stream.closed.aborted) leave();
    else stream.closed.addEventListener("abort", leave, { once: true });
  });
}

/** Waits, but no longer than the stream is open. */
export async function pause(ms: number, closed: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal: closed });
  } catch (error) {
    if (!closed.aborted) throw error;
  }
}
