import { createMemoryCodeQ, type DeadLetterOptions } from "@sous/codeq";
import { type Invocation, PlatformError } from "@sous/contract";
import type { QueueJournal } from "@sous/store";
import type { InvocationCodeQ } from "../activations/invocation-queue.ts";
import type { InvocationReply } from "../activations/invocation-reply.ts";
import { REPLY_CODEC } from "../activations/reply-codec.ts";

export interface OpenCodeQOptions extends DeadLetterOptions {
  /** `memory:`, `redis[s]://…` or `nats[s]://…`. */
  url: string;
  /** Where the embedded queue keeps what must survive. */
  journal: QueueJournal;
  now: () => number;
  /** Hears of faults nobody waits for. */
  onFault: (error: unknown) => void;
  /** Hears of what an operator should change. */
  onWarning: (text: string) => void;
}

/** @returns whether what waits lies in this process and its journal, and nowhere else */
export const isEmbedded = (url: string): boolean => url === "memory:";

/**
 * Opens the queue a URL names; the drivers of servers are loaded when one is named.
 * @throws CS_VALIDATION_FAILED for an engine this release has no driver of, CS_CODEQ_PUBLISH_FAILED when the server
 *   cannot be reached
 */
export async function openCodeQ(options: OpenCodeQOptions): Promise<InvocationCodeQ> {
  const {
    url,
    journal,
    now: clock,
    onFault: onError,
    onWarning,
    deadLetters,
    onDeadLettersDropped,
  } = options;
  const shared = { clock, onError, deadLetters, onDeadLettersDropped };
  if (isEmbedded(url)) return await createMemoryCodeQ<Invocation, InvocationReply>({ ...shared, journal });
  const remote = { ...shared, url, resultCodec: REPLY_CODEC, onWarning };
  if (/^rediss?:/.test(url)) {
    const { createRedisCodeQ } = await import("@sous/codeq/redis");
    return await createRedisCodeQ<Invocation, InvocationReply>(remote);
  }
  if (/^natss?:/.test(url)) {
    const { createNatsCodeQ } = await import("@sous/codeq/nats");
    return await createNatsCodeQ<Invocation, InvocationReply>(remote);
  }
  const scheme = url.split(":", 1)[0] ?? "";
  const message = `codeq: this release has no driver for ${scheme}:; use memory:, redis://… or nats://…`;
  throw new PlatformError("CS_VALIDATION_FAILED", message);
}
