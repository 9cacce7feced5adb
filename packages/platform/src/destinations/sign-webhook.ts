/** What a receiver verifies: the headers of Standard Webhooks. */
export interface WebhookHeaders {
  "webhook-id": string;
  /** Epoch seconds. */
  "webhook-timestamp": string;
  /** Absent where the destination names no secret. */
  "webhook-signature"?: string;
}

/** `whsec_` and 24–64 bytes in base64. */
const SECRET = /^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/;

/** @returns whether a secret's value can sign webhooks */
export function isWebhookSecret(secret: string): boolean {
  if (!SECRET.test(secret)) return false;
  const { length } = Buffer.from(secret.slice("whsec_".length), "base64");
  return length >= 24 && length <= 64;
}

/**
 * Makes the headers of a webhook.
 * @param id the same for every try of one message
 * @param secret a value that `isWebhookSecret` takes
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export async function webhookHeaders(
  id: string,
  nowMs: number,
  body: string,
  secret: string | undefined,
): Promise<WebhookHeaders> {
  const headers: WebhookHeaders = {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(nowMs / 1000)),
  };
  if (secret !== undefined) {
    const { Webhook } = await import("standardwebhooks");
    headers["webhook-signature"] = new Webhook(secret).sign(id, new Date(nowMs), body);
  }
  return headers;
}
