import type { EventSourceRecord } from "@sous/contract";
import type { SourceMessage } from "../adapter.ts";
import { parsedOr } from "./parsed-or.ts";

interface Notification {
  s3?: { bucket?: { name?: unknown }; object?: { key?: unknown } };
}

/**
 * Makes a reader of a bucket's notifications as they lie in a queue. A message may tell of several objects; they stay
 * together, as records of one message.
 * @returns a function that gives `undefined` for what is no notification of this bucket and prefix
 */
export function notificationReader(source: EventSourceRecord) {
  const { bucket = "", prefix = "" } = source.s3 ?? {};
  return (message: SourceMessage, body: string): SourceMessage | undefined => {
    const value = parsedOr(body);
    const records: unknown =
      typeof value === "object" && value !== null && "Records" in value ? value.Records : undefined;
    if (!Array.isArray(records)) return undefined;
    const own = (records as Notification[]).filter(
      (record) => record?.s3?.bucket?.name === bucket && keyOf(record).startsWith(prefix),
    );
    if (own.length === 0) return undefined;
    const shown = own.map((record) =>
      Object.assign(record, { messageId: message.id, eventSourceName: source.name }),
    );
    // The framework puts them into one list with those of other messages.
    return { ...message, json: shown.map((record) => JSON.stringify(record)).join(","), match: shown[0] };
  };
}

/** Keys are encoded as in a form. */
function keyOf({ s3 }: Notification): string {
  const key = s3?.object?.key;
  if (typeof key !== "string") return "";
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch {
    return key;
  }
}

/** An object as a listing shows it. */
export interface ListedObject {
  key: string;
  modifiedMs: number;
  size: number;
  etag: string;
}

/** @returns a found object in the form of a notification */
export function listedMessage(
  source: EventSourceRecord,
  { key, modifiedMs, size, etag }: ListedObject,
): SourceMessage {
  const id = `${key}#${etag}#${modifiedMs}`;
  const record = {
    eventVersion: "2.1",
    eventSource: "aws:s3",
    eventName: "ObjectCreated:Listed",
    eventTime: new Date(modifiedMs).toISOString(),
    s3: {
      bucket: { name: source.s3?.bucket ?? "" },
      object: {
        key: encodeURIComponent(key).replaceAll("%20", "+").replaceAll("%2F", "/"),
        size,
        eTag: etag,
      },
    },
    messageId: id,
    eventSourceName: source.name,
  };
  return { id, attempt: 1, json: JSON.stringify(record), match: record };
}
