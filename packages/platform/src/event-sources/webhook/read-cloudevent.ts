import { PlatformError } from "@sous/contract";

/** A CloudEvent in its JSON format: attributes, extensions, and `data` or `data_base64`. */
export type CloudEvent = Record<string, unknown> & {
  specversion: "1.0";
  id: string;
  source: string;
  type: string;
};

const STRUCTURED = "application/cloudevents+json";
const BATCHED = "application/cloudevents-batch+json";
const EVENTS_MAX = 1000;
const ATTRIBUTE = /^[a-z0-9]{1,64}$/;
const ATTRIBUTES_MAX = 64;
const TEXT_MAX = 4096;
const NOT_ATTRIBUTES: ReadonlySet<string> = new Set(["data", "data_base64"]);

/** @returns whether a request says that it carries CloudEvents */
export function isCloudEvent(headers: Readonly<Record<string, string>>): boolean {
  const type = mediaType(headers["content-type"]);
  return headers["ce-specversion"] !== undefined || type === STRUCTURED || type === BATCHED;
}

/**
 * Reads the CloudEvents of a request, in each of the three content modes.
 * @throws CS_VALIDATION_FAILED with what is wrong
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 */
export function readCloudEvents(headers: Readonly<Record<string, string>>, body: Buffer): CloudEvent[] {
  const type = mediaType(headers["content-type"]);
  if (type === BATCHED) {
    const batch = jsonOf(body);
    if (!Array.isArray(batch)) throw invalid("a batch is a list of events");
    if (batch.length > EVENTS_MAX) throw invalid(`a batch holds at most ${EVENTS_MAX} events`);
    return batch.map(check);
  }
  if (type === STRUCTURED) return [check(jsonOf(body))];
  return [binary(headers, body)];
}

function binary(headers: Readonly<Record<string, string>>, body: Buffer): CloudEvent {
  const event: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith("ce-")) event[name.slice(3)] = decoded(value);
  }
  const type = headers["content-type"];
  if (type !== undefined) event["datacontenttype"] = type;
  const media = mediaType(type);
  if (body.length === 0) return check(event);
  if (media === "application/json" || media.endsWith("+json")) event["data"] = jsonOf(body);
  else if (media.startsWith("text/") || media.endsWith("/xml") || media.endsWith("+xml")) {
    event["data"] = body.toString("utf8");
  } else event["data_base64"] = body.toString("base64");
  return check(event);
}

function check(value: unknown): CloudEvent {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("an event is an object");
  const event = value as Record<string, unknown>;
  if (event["specversion"] !== "1.0") throw invalid("specversion has to be 1.0");
  const names = Object.keys(event).filter((name) => !NOT_ATTRIBUTES.has(name));
  if (names.length > ATTRIBUTES_MAX) throw invalid(`an event has at most ${ATTRIBUTES_MAX} attributes`);
  for (const name of names) checkAttribute(name, event[name]);
  for (const name of ["id", "source", "type"]) {
    if (typeof event[name] !== "string" || event[name] === "") throw invalid(`${name} is missing`);
  }
  if ("data" in event && "data_base64" in event) throw invalid("data and data_base64 exclude one another");
  if ("data_base64" in event && typeof event["data_base64"] !== "string")
    throw invalid("data_base64 is no text");
  const { time } = event;
  if (time !== undefined && (typeof time !== "string" || Number.isNaN(Date.parse(time)))) {
    throw invalid("time is no timestamp");
  }
  return event as CloudEvent;
}

function checkAttribute(name: string, value: unknown): void {
  if (!ATTRIBUTE.test(name)) throw invalid(`${JSON.stringify(name.slice(0, 80))} is no name of an attribute`);
  const isPlain = typeof value === "string" || typeof value === "boolean" || Number.isSafeInteger(value);
  if (!isPlain) throw invalid(`the attribute ${name} is neither text nor a whole number nor true or false`);
  if (typeof value === "string" && value.length > TEXT_MAX) {
    throw invalid(`the attribute ${name} holds more than ${TEXT_MAX} characters`);
  }
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw invalid("a header of an attribute is not properly encoded");
  }
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw invalid("the body is not JSON");
  }
}

const mediaType = (header: string | undefined): string =>
  (header ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";

const invalid = (message: string): PlatformError =>
  new PlatformError("CS_VALIDATION_FAILED", `CloudEvent: ${message}`);
