import { type CloudEventsFormat, PlatformError } from "@sous/contract";
import type { DestinationTask } from "../activations/destination-task.ts";
import type { Egress } from "../powers/create-egress.ts";
import type { SecretReader } from "../secrets/secret-vault.ts";
import { parseSecretRef } from "../secrets/secret-ref.ts";
import { type DestinationFailure, finalFailure, passingFailure } from "./destination-failure.ts";
import { isWebhookSecret, webhookHeaders } from "./sign-webhook.ts";
import { cloudEventHeaders, STRUCTURED_TYPE, structuredCloudEvent } from "./write-cloudevent.ts";

/** No host is left alone for longer than this because it asked to be. */
const RETRY_AFTER_MAX_SECONDS = 3600;

interface WebhookContent {
  headers: Record<string, string>;
  body: string;
}

export interface WebhookDeliveryOptions {
  egress: Pick<Egress, "fetch">;
  secrets: SecretReader;
  /** For everything: names, connection, answer; milliseconds. */
  timeoutMs: number;
  now: () => number;
}

/**
 * Posts the event through the guard that calls of functions pass. Everything but an answer of 2xx is a failure.
 * @param id of the message, the same for each try
 * @returns why it failed, or `undefined`
 */
export async function deliverToWebhook(
  { egress, secrets, timeoutMs, now }: WebhookDeliveryOptions,
  id: string,
  task: DestinationTask,
  webhook: { url: string; secret?: string; format?: CloudEventsFormat },
): Promise<DestinationFailure | undefined> {
  try {
    const secret = await secretOf(secrets, webhook.secret);
    if (secret !== undefined && !isWebhookSecret(secret)) {
      return finalFailure(
        `secret ${webhook.secret} is no webhook secret; make one with \`cs webhook secret\`, set it, and redrive`,
      );
    }
    const url = new URL(webhook.url);
    const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
    const { headers, body } = contentOf(id, task, webhook.format);
    const signed = await webhookHeaders(id, now(), body, secret);
    const answer = await egress.fetch(
      {
        url: url.href,
        method: "POST",
        headers: Object.entries({
          ...headers,
          "user-agent": "sous-webhook/1",
          ...(task.traceparent === undefined ? {} : { traceparent: task.traceparent }),
          ...signed,
        }),
        body: Buffer.from(body),
        redirect: "error",
        timeoutMs,
      },
      {
        tenant: task.tenant,
        grants: { allow_hosts: [], allow: [{ host: url.hostname, methods: ["POST"], ports: [port] }] },
        // Where the receiver calls a function of ours, the circle ends like every other.
        depth: task.depth,
        onBytes: () => {},
      },
    );
    if (answer.status >= 200 && answer.status < 300) return undefined;
    const reason = `webhook ${url.host} answered ${answer.status}`;
    // Gone: the receiver wants no more of it.
    return answer.status === 410
      ? finalFailure(reason)
      : passingFailure(reason, retryAfterMs(answer.headers["retry-after"]));
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const reason = `webhook ${hostOf(webhook.url)}: ${error.message.replace(/^cs\.http\.fetch: /, "")}`;
    const final = error.code === "CS_RUNTIME_CAPABILITY_DENIED" || error.code === "CS_VALIDATION_FAILED";
    return final ? finalFailure(reason) : passingFailure(reason);
  }
}

function contentOf(id: string, task: DestinationTask, format: CloudEventsFormat | undefined): WebhookContent {
  switch (format) {
    case "cloudevents-binary":
      return { headers: cloudEventHeaders(id, task), body: task.event_json };
    case "cloudevents-structured":
      return { headers: { "content-type": STRUCTURED_TYPE }, body: structuredCloudEvent(id, task) };
    case undefined:
      return { headers: { "content-type": "application/json" }, body: task.event_json };
  }
}

async function secretOf(secrets: SecretReader, ref: string | undefined): Promise<string | undefined> {
  if (ref === undefined) return undefined;
  const place = parseSecretRef(ref);
  if (place === undefined) throw new PlatformError("CS_SECRET_NOT_FOUND", `secret ${ref} is no reference`);
  return (await secrets.read(place)).trim();
}

const hostOf = (url: string): string => URL.parse(url)?.host ?? "";

function retryAfterMs(header: string | string[] | undefined): number | undefined {
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined || !/^[0-9]{1,6}$/.test(text)) return undefined;
  return Math.min(Number(text), RETRY_AFTER_MAX_SECONDS) * 1000;
}
