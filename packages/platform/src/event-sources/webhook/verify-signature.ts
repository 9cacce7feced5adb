import { createHmac, timingSafeEqual } from "node:crypto";
import { PlatformError, type WebhookSignature } from "@sous/contract";

const TOLERANCE_SECONDS = 300;
const SIGNATURES_MAX = 16;

/** A request as it came in; header names in lower case. */
export interface SignedRequest {
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
}

interface Scheme {
  /** What was signed, before the body. */
  prefix: string;
  /** Epoch seconds the sender signed; absent where the scheme has no time. */
  seconds?: string;
  /** Any of these may be the right one: senders change their keys. */
  signatures: { text: string; encoding: "hex" | "base64" }[];
  key: Uint8Array;
}

/**
 * Checks that the sender of a webhook knows the secret, and sent it now. Signatures are compared in constant time.
 * @param secret the value of the source's secret
 * @throws CS_EVENT_SIGNATURE_INVALID; the message says what is missing, never what would be right
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 * @see https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 * @see https://docs.stripe.com/webhooks#verify-manually
 * @see https://docs.slack.dev/authentication/verifying-requests-from-slack
 */
export function verifySignature(
  wanted: WebhookSignature,
  secret: string,
  request: SignedRequest,
  nowMs: number,
): void {
  const { prefix, seconds, signatures, key } = schemeOf(wanted, secret, request.headers);
  if (seconds !== undefined) checkTime(seconds, wanted.tolerance_seconds ?? TOLERANCE_SECONDS, nowMs);
  const right = createHmac("sha256", key).update(prefix).update(request.body).digest();
  for (const { text, encoding } of signatures.slice(0, SIGNATURES_MAX)) {
    const given = Buffer.from(text, encoding);
    if (given.length === right.length && timingSafeEqual(given, right)) return;
  }
  throw invalid("the signature is not that of the body and the secret");
}

/**
 * Checks what can be checked of a signature before the body is there.
 * @throws CS_EVENT_SIGNATURE_INVALID where its headers are missing, hold no signature, or are of another time
 */
export function checkSignatureHeaders(
  wanted: WebhookSignature,
  headers: SignedRequest["headers"],
  nowMs: number,
): void {
  const { seconds, signatures } = schemeOf(wanted, "", headers);
  if (seconds !== undefined) checkTime(seconds, wanted.tolerance_seconds ?? TOLERANCE_SECONDS, nowMs);
  if (!signatures.some(({ text }) => text !== ""))
    throw invalid("the signature is not that of the body and the secret");
}

function schemeOf(wanted: WebhookSignature, secret: string, headers: SignedRequest["headers"]): Scheme {
  const header = (name: string): string => {
    const value = headers[name];
    if (value === undefined || value === "") throw invalid(`the header ${name} is missing`);
    return value;
  };
  const key = Buffer.from(secret);
  switch (wanted.scheme) {
    case "standard-webhooks": {
      const seconds = header("webhook-timestamp");
      const signatures = header("webhook-signature")
        .split(" ")
        .filter((part) => part.startsWith("v1,"))
        .map((part) => ({ text: part.slice(3), encoding: "base64" as const }));
      return { prefix: `${header("webhook-id")}.${seconds}.`, seconds, signatures, key: standardKey(secret) };
    }
    case "github":
      return { prefix: "", signatures: [hexAfter(header("x-hub-signature-256"), "sha256=")], key };
    case "stripe": {
      const parts = header("stripe-signature")
        .split(",")
        .map((part) => part.trim());
      const seconds = parts.find((part) => part.startsWith("t="))?.slice(2) ?? "";
      const signatures = parts.filter((part) => part.startsWith("v1=")).map((part) => hexAfter(part, "v1="));
      return { prefix: `${seconds}.`, seconds, signatures, key };
    }
    case "slack": {
      const seconds = header("x-slack-request-timestamp");
      return {
        prefix: `v0:${seconds}:`,
        seconds,
        signatures: [hexAfter(header("x-slack-signature"), "v0=")],
        key,
      };
    }
    case "hmac-sha256": {
      const text = header(wanted.header ?? "x-signature").replace(/^sha256=/, "");
      const encoding = /^[0-9a-f]{64}$/i.test(text) ? "hex" : "base64";
      return { prefix: "", signatures: [{ text, encoding }], key };
    }
  }
}

/** `whsec_` and the key in base64; anything else is the key itself. */
const standardKey = (secret: string): Uint8Array =>
  secret.startsWith("whsec_") ? Buffer.from(secret.slice("whsec_".length), "base64") : Buffer.from(secret);

function hexAfter(value: string, prefix: string): { text: string; encoding: "hex" } {
  return { text: value.startsWith(prefix) ? value.slice(prefix.length) : "", encoding: "hex" };
}

function checkTime(seconds: string, toleranceSeconds: number, nowMs: number): void {
  if (!/^[0-9]{1,12}$/.test(seconds)) throw invalid("the signature's time is no number of seconds");
  if (Math.abs(nowMs / 1000 - Number(seconds)) > toleranceSeconds) {
    throw invalid(`the signature's time is more than ${toleranceSeconds} s away from now`);
  }
}

const invalid = (message: string): PlatformError => new PlatformError("CS_EVENT_SIGNATURE_INVALID", message);
