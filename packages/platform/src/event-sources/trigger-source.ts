import type { EventSourceRecord } from "@sous/contract";
import type { EventBatch } from "./submit-events.ts";

/** Ids of messages that a record keeps of a batch, bytes of JSON: some hundred. */
const IDS_BYTES_MAX = 16 * 1024;

/**
 * What the activation's record says of where it comes from. Of a batch it names each message, from the first on as long as
 * there is room, and the last in any case; and who published them, where those are activations.
 */
export function triggerSource(
  { name, type }: Pick<EventSourceRecord, "name" | "type">,
  { partition, messages, attempt }: Pick<EventBatch, "partition" | "messages" | "attempt">,
) {
  const ids = messages.map(({ id }) => id);
  const publishers = new Set(messages.flatMap(({ publishedBy }) => publishedBy ?? []));
  return {
    event_source: name,
    event_source_type: type,
    partition,
    message_id: ids[0],
    ...(ids.length > 1 ? { last_message_id: ids.at(-1), message_ids: firstOf(ids) } : {}),
    messages: ids.length,
    attempt,
    ...(publishers.size > 0 ? { published_by: firstOf([...publishers]) } : {}),
  };
}

function firstOf(ids: readonly string[]): string[] {
  let bytes = 2;
  const end = ids.findIndex((id) => (bytes += Buffer.byteLength(JSON.stringify(id)) + 1) > IDS_BYTES_MAX);
  return ids.slice(0, end < 0 ? ids.length : end);
}
