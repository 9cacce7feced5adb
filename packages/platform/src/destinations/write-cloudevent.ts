import type { DestinationTask } from "../activations/destination-task.ts";

/** Attributes of the event that an activation ended; names and ids, all of plain ASCII. */
export interface EndAttributes {
  specversion: "1.0";
  /** The same for every try, also after a redrive. */
  id: string;
  /** Where the API has the function. */
  source: string;
  type: "cs.activation.succeeded" | "cs.activation.failed";
  /** The activation. */
  subject: string;
  /** When it ended, RFC 3339. */
  time: string;
  datacontenttype: "application/json";
}

export const STRUCTURED_TYPE = "application/cloudevents+json; charset=utf-8";

/**
 * @param id of the delivery
 * @returns the headers of the binary content mode; the body is the record as it is
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 */
export function cloudEventHeaders(id: string, task: DestinationTask): Record<string, string> {
  const { datacontenttype, ...attributes } = attributesOf(id, task);
  const headers: Record<string, string> = { "content-type": datacontenttype };
  // Nothing in them needs the percent encoding of the specification.
  for (const [name, value] of Object.entries(attributes)) headers[`ce-${name}`] = value;
  return headers;
}

/**
 * @param id of the delivery
 * @returns the whole event in the JSON format
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 */
export function structuredCloudEvent(id: string, task: DestinationTask): string {
  // The record is JSON text already and is not parsed for this.
  return `${JSON.stringify(attributesOf(id, task)).slice(0, -1)},"data":${task.event_json}}`;
}

function attributesOf(id: string, task: DestinationTask): EndAttributes {
  const { tenant, namespace, function: name, condition, activation_id, ended_at_ms } = task;
  return {
    specversion: "1.0",
    id,
    source: `/v1/tenants/${tenant}/namespaces/${namespace}/functions/${name}`,
    type: condition === "on_success" ? "cs.activation.succeeded" : "cs.activation.failed",
    subject: activation_id,
    time: new Date(ended_at_ms).toISOString(),
    datacontenttype: "application/json",
  };
}
