import { type CodeQ, type Message } from "@sous/codeq";
import { type EventSourceRecord, LIMITS } from "@sous/contract";
import { sourceTopic } from "./event-resources.ts";

/** How long a message waits for its function at most, milliseconds. */
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;

/** A message of the platform's own queue on its way to one event source. */
export type InboxBody =
  | { kind: "topic"; id: string; topic: string; payload_json: string; depth: number; published_by?: string }
  | {
      kind: "webhook";
      id: string;
      headers: Record<string, string>;
      body: string;
      is_base64: boolean;
      depth: number;
      traceparent?: string;
    }
  | { kind: "cloudevent"; id: string; event: object; depth: number; traceparent?: string };

/** The queue, as those see it who write to and read from inboxes. */
export type InboxQueue = Pick<CodeQ<InboxBody, unknown>, "publish" | "consume" | "depth">;

/**
 * Puts a message into the inbox of a source; the same id is one message while the first is there.
 * @throws CS_QUEUE_FULL, CS_CODEQ_PUBLISH_FAILED
 */
export async function putIntoInbox(
  codeq: Pick<InboxQueue, "publish">,
  source: EventSourceRecord,
  body: InboxBody,
  nowMs: number,
): Promise<void> {
  const { tenant, namespace, name, uid } = source;
  const message: Message<InboxBody> = {
    // The queue knows ids of all topics: two sources of one topic have a message each.
    id: `${uid}:${body.id}`,
    topic: sourceTopic(source),
    tenant,
    lane: `${namespace}/${name}`,
    body,
    attempt: 1,
    enqueued_at_ms: nowMs,
    due_at_ms: 0,
    expires_at_ms: nowMs + MAX_AGE_MS,
  };
  await codeq.publish(message, { depthMax: LIMITS.eventDepthMax, durable: true });
}
