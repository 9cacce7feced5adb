import { isTerminal, LIMITS, type LogsReply } from "@sous/contract";
import type { ControlContext } from "./control-context.ts";
import { findActivation } from "./find-activation.ts";

type Sources = Pick<ControlContext, "live" | "store" | "queued">;

/** @returns chunks of an activation's log from a number on, from memory where it is live, else from the store */
export async function readChunks(
  { live, store }: Sources,
  tenant: string,
  activationId: string,
  from: number,
  limit: number,
): Promise<string[]> {
  return (
    live.logs(tenant, activationId, from, limit) ?? (await store.logs.read(tenant, activationId, from, limit))
  );
}

/**
 * Reads a page of an activation's log.
 * @returns the chunks, and the cursor of the next ones: null when the activation has ended and there are none
 * @throws CS_NOT_FOUND
 */
export async function readLogs(
  sources: Sources,
  tenant: string,
  activationId: string,
  query: { cursor?: string; limit?: number },
): Promise<LogsReply> {
  const from = Number(query.cursor ?? "0");
  const limit = query.limit ?? LIMITS.pageSizeDefault;
  // The record first: what it had logged when it was terminal is all there is, later lines cannot come.
  const record = await findActivation(sources, tenant, activationId);
  const chunks = await readChunks(sources, tenant, activationId, from, limit);
  const isEnd = isTerminal(record.status) && chunks.length < limit;
  return { chunks, cursor: isEnd ? null : String(from + chunks.length) };
}
