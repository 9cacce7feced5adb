import { createHash } from "node:crypto";
import { isUtf8 } from "node:buffer";
import type { EventSourceRecord } from "@sous/contract";
import type { InboxBody } from "../../events/inbox.ts";
import { parsedOr } from "../adapters/parsed-or.ts";
import { isCloudEvent, readCloudEvents } from "./read-cloudevent.ts";
import type { SignedRequest } from "./verify-signature.ts";

type Webhook = Omit<Extract<InboxBody, { kind: "webhook" }>, "depth">;
type Event = Omit<Extract<InboxBody, { kind: "cloudevent" }>, "depth">;

/** Where senders put their own ids of messages. */
const ID_HEADERS = ["webhook-id", "x-github-delivery"];
/** Never shown to a function. */
const SECRET_HEADERS: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"]);
const SECRET_PREFIX = "x-tikti-";
const HEADERS_BYTES_MAX = 16 * 1024;
const PLAIN_ID = /^[\x21-\x7d]{1,128}$/;

/**
 * Makes messages of a request: one, or as many as it carries CloudEvents. The sender's own id becomes that of the
 * message, so that a repeated delivery is the same message and runs once.
 * @throws CS_VALIDATION_FAILED for what says it is a CloudEvent and is none
 */
export function webhookMessages(
  { webhook }: EventSourceRecord,
  { headers, body }: SignedRequest,
  newId: () => string,
): (Webhook | Event)[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (isCloudEvent(headers)) {
    return readCloudEvents(headers, bytes).map((event) => ({
      kind: "cloudevent",
      id: shortId(`${event.source}#${event.id}`),
      event,
    }));
  }
  const isText = isUtf8(bytes);
  const text = isText ? bytes.toString("utf8") : bytes.toString("base64");
  const own = ownId(headers, webhook?.id_header, isText ? text : "");
  return [
    {
      kind: "webhook",
      id: own === undefined ? newId() : shortId(own),
      headers: shownHeaders(headers),
      body: text,
      is_base64: !isText,
    },
  ];
}

function ownId(
  headers: SignedRequest["headers"],
  idHeader: string | undefined,
  text: string,
): string | undefined {
  if (idHeader !== undefined) return headers[idHeader];
  for (const name of ID_HEADERS) if (headers[name] !== undefined) return headers[name];
  // Stripe and others: the event's own id.
  if (headers["stripe-signature"] === undefined) return undefined;
  const event = parsedOr(text);
  const id = typeof event === "object" && event !== null && "id" in event ? event.id : undefined;
  return typeof id === "string" && id !== "" ? id : undefined;
}

/** An id as it is where it is short and plain, else its hash. `~` and `:` are the queue's. */
const shortId = (id: string): string =>
  PLAIN_ID.test(id) && !id.includes(":") ? id : createHash("sha256").update(id).digest("hex");

function shownHeaders(headers: SignedRequest["headers"]): Record<string, string> {
  const shown: Record<string, string> = {};
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (SECRET_HEADERS.has(name) || name.startsWith(SECRET_PREFIX)) continue;
    bytes += name.length + value.length;
    if (bytes > HEADERS_BYTES_MAX) break;
    shown[name] = value;
  }
  return shown;
}
