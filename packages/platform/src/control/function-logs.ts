import { type FunctionLogsPage, isTerminal, LIMITS } from "@sous/contract";
import type { FunctionKey } from "@sous/store";
import type { ControlContext } from "./control-context.ts";
import type { EventStream } from "./event-stream.ts";
import { pause } from "./follow-activation.ts";
import { readChunks, readLogs } from "./read-logs.ts";

/** Most activations of a function that a follower keeps an eye on. */
const WATCHED_MAX = 1000;

/** Reads what the last activations of a function logged, newest activation first, a hundred lines of each. */
export async function readFunctionLogs(
  context: ControlContext,
  key: FunctionKey,
  query: { limit?: number; cursor?: string; since?: number },
): Promise<FunctionLogsPage> {
  const page = await context.store.activations.list(filterOf(key, query.since), {
    limit: query.limit ?? LIMITS.pageSizeDefault,
    cursor: query.cursor,
  });
  const items = await Promise.all(
    page.items.map(async ({ activation_id, status, enqueued_at_ms }) => ({
      activation_id,
      status,
      enqueued_at_ms,
      ...(await readLogs(context, key.tenant, activation_id, {})),
    })),
  );
  return { items, next_cursor: page.next_cursor };
}

interface Watched {
  next: number;
  ended: boolean;
}

/**
 * Streams what a function logs from a moment on, looking for new activations and lines every half second.
 * Events: `chunk {activation_id, index, text}` and `end {activation_id, status}` for each activation.
 */
export async function followFunction(
  context: ControlContext,
  key: FunctionKey,
  sinceMs: number,
  stream: EventStream,
): Promise<void> {
  const watched = new Map<string, Watched>();
  while (!stream.closed.aborted) {
    const page = await context.store.activations.list(filterOf(key, sinceMs), {
      limit: LIMITS.pageSizeMax,
      cursor: undefined,
    });
    for (const record of page.items.toReversed()) {
      const state = watched.get(record.activation_id) ?? { next: 0, ended: false };
      watched.set(record.activation_id, state);
      if (!state.ended) await sendNew(context, key.tenant, record, state, stream);
    }
    // The map keeps the order of first sight: the oldest go first.
    for (const id of watched.keys()) {
      if (watched.size <= WATCHED_MAX) break;
      watched.delete(id);
    }
    await pause(context.followIntervalMs, stream.closed);
  }
}

async function sendNew(
  context: ControlContext,
  tenant: string,
  record: { activation_id: string; status: Parameters<typeof isTerminal>[0] },
  state: Watched,
  stream: EventStream,
): Promise<void> {
  const { activation_id, status } = record;
  let chunks: string[];
  do {
    chunks = await readChunks(context, tenant, activation_id, state.next, LIMITS.pageSizeMax);
    for (const text of chunks) {
      stream.send("chunk", { activation_id, index: state.next, text });
      state.next++;
    }
  } while (chunks.length === LIMITS.pageSizeMax && !stream.closed.aborted);
  if (!isTerminal(status)) return;
  state.ended = true;
  stream.send("end", { activation_id, status });
}

const filterOf = (key: FunctionKey, sinceMs: number | undefined) => ({
  tenant: key.tenant,
  namespace: key.namespace,
  function: key.name,
  sinceMs,
});
