import type { ServerSentEvent } from "../client/event-stream.ts";

/** One thing a stream of logs tells: a line of an activation, or the activation's end. */
export type LogStreamEvent =
  | { type: "chunk"; activation_id: string; index: number; text: string }
  | { type: "end"; activation_id: string; status: string };

interface EventBody {
  activation_id?: unknown;
  index?: unknown;
  text?: unknown;
  status?: unknown;
}

/**
 * Reads one server-sent event of the log streams.
 * @param activationId of the activation followed, where the stream is of one
 * @returns nothing for an event of a later server that this client does not know
 */
export function readLogEvent(sent: ServerSentEvent, activationId = ""): LogStreamEvent | undefined {
  if (sent.event !== "chunk" && sent.event !== "end") return undefined;
  let body: EventBody | null;
  try {
    body = JSON.parse(sent.data);
  } catch {
    return undefined;
  }
  const id = typeof body?.activation_id === "string" ? body.activation_id : activationId;
  if (sent.event === "end") {
    return { type: "end", activation_id: id, status: typeof body?.status === "string" ? body.status : "" };
  }
  const index = typeof body?.index === "number" ? body.index : Number(sent.id ?? Number.NaN);
  if (typeof body?.text !== "string" || !Number.isInteger(index)) return undefined;
  return { type: "chunk", activation_id: id, index, text: body.text };
}
