import type { EventSourceRecord } from "@sous/contract";
import type { InboxBody } from "../../events/inbox.ts";
import type { SourceMessage } from "../adapter.ts";
import { parsedOr } from "./parsed-or.ts";

/** @returns a message of an inbox as the framework, filters and functions see it */
export function inboxMessage(
  source: EventSourceRecord,
  body: InboxBody,
  attempt: number,
  enqueuedAtMs: number,
): SourceMessage {
  const common = { messageId: body.id, eventSourceName: source.name, attempt, enqueued_at_ms: enqueuedAtMs };
  const base = { id: body.id, atMs: enqueuedAtMs, attempt, depth: body.depth };
  switch (body.kind) {
    case "topic": {
      const { topic, payload_json, published_by: publishedBy } = body;
      const head = JSON.stringify({ ...common, eventSource: "cs:codeq", topic }).slice(0, -1);
      // The payload is JSON text already.
      const json = `${head},"body":${payload_json}}`;
      const message = { ...base, json, match: { topic, body: parsedOr(payload_json) } };
      return publishedBy === undefined ? message : { ...message, publishedBy };
    }
    case "webhook": {
      const { headers, body: text, is_base64 } = body;
      const record = {
        ...common,
        eventSource: "cs:webhook",
        headers,
        body: text,
        isBase64Encoded: is_base64,
      };
      const match = { headers, body: is_base64 ? text : parsedOr(text) };
      return withTrace({ ...base, json: JSON.stringify(record), match }, body.traceparent);
    }
    case "cloudevent": {
      const json = JSON.stringify({ ...common, eventSource: "cs:cloudevents", cloudEvent: body.event });
      return withTrace({ ...base, json, match: body.event }, body.traceparent);
    }
  }
}

const withTrace = (message: SourceMessage, traceparent: string | undefined): SourceMessage =>
  traceparent === undefined ? message : { ...message, traceparent };
