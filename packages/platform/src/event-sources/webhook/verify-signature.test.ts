import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import test from "node:test";
import { PlatformError, type WebhookSignature } from "@sous/contract";
import { Webhook } from "standardwebhooks";
import { verifySignature } from "./verify-signature.ts";

const NOW = 1_700_000_000_000;
const SECONDS = String(NOW / 1000);
const BODY = Buffer.from('{"id":"evt_1","text":"Grüße"}');
const KEY = "top-secret";
const hex = (prefix: string, key: string | Buffer = KEY): string =>
  createHmac("sha256", key).update(prefix).update(BODY).digest("hex");

function verdict(
  wanted: WebhookSignature,
  headers: Record<string, string>,
  { secret = KEY, body = BODY, nowMs = NOW } = {},
): string {
  try {
    verifySignature(wanted, secret, { headers, body }, nowMs);
    return "ok";
  } catch (error) {
    assert.ok(error instanceof PlatformError && error.code === "CS_EVENT_SIGNATURE_INVALID", String(error));
    return error.message;
  }
}

const standardKey = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;
const standard = {
  "webhook-id": "msg_1",
  "webhook-timestamp": SECONDS,
  "webhook-signature": new Webhook(standardKey).sign("msg_1", new Date(NOW), BODY.toString()),
};
const RIGHT: [WebhookSignature, Record<string, string>, string?][] = [
  [{ scheme: "standard-webhooks", secret: "s" }, standard, standardKey],
  [{ scheme: "github", secret: "s" }, { "x-hub-signature-256": `sha256=${hex("")}` }],
  [{ scheme: "stripe", secret: "s" }, { "stripe-signature": `t=${SECONDS},v1=${hex(`${SECONDS}.`)},v0=aa` }],
  [
    { scheme: "slack", secret: "s" },
    { "x-slack-request-timestamp": SECONDS, "x-slack-signature": `v0=${hex(`v0:${SECONDS}:`)}` },
  ],
  [{ scheme: "hmac-sha256", secret: "s" }, { "x-signature": hex("") }],
  [
    { scheme: "hmac-sha256", secret: "s", header: "x-my-mac" },
    { "x-my-mac": `sha256=${Buffer.from(hex(""), "hex").toString("base64")}` },
  ],
];

test("each scheme takes what its senders make", () => {
  for (const [wanted, headers, secret = KEY] of RIGHT) {
    assert.equal(verdict(wanted, headers, { secret }), "ok", wanted.scheme);
  }
});

test("another secret, another body, and a missing header are refused by each", () => {
  for (const [wanted, headers, secret = KEY] of RIGHT) {
    assert.match(verdict(wanted, headers, { secret: `${secret.slice(0, -3)}AB=` }), /not that of the body/);
    assert.match(verdict(wanted, headers, { secret, body: Buffer.from("{}") }), /not that of the body/);
    assert.match(verdict(wanted, {}, { secret }), /header .* is missing/);
  }
});

test("a signed time has to be near now, on both sides", () => {
  for (const [wanted, headers, secret = KEY] of RIGHT.slice(0, 4)) {
    if (wanted.scheme === "github") continue;
    for (const away of [-301_000, 301_000]) {
      assert.match(verdict(wanted, headers, { secret, nowMs: NOW + away }), /300 s away/, wanted.scheme);
    }
    const patient = { ...wanted, tolerance_seconds: 600 };
    assert.equal(verdict(patient, headers, { secret, nowMs: NOW + 301_000 }), "ok");
  }
});

test("one of several signatures is enough, so that keys can be changed", () => {
  const two = { ...standard, "webhook-signature": `v1,AAAA v1a,x ${standard["webhook-signature"]}` };
  assert.equal(verdict({ scheme: "standard-webhooks", secret: "s" }, two, { secret: standardKey }), "ok");
  const stripe = { "stripe-signature": `t=${SECONDS},v1=00,v1=${hex(`${SECONDS}.`)}` };
  assert.equal(verdict({ scheme: "stripe", secret: "s" }, stripe), "ok");
});

test("what only looks like a signature is refused", () => {
  const github: WebhookSignature = { scheme: "github", secret: "s" };
  for (const value of [
    "",
    "sha256=",
    hex(""),
    `sha1=${hex("")}`,
    `sha256=${hex("").slice(2)}`,
    `sha256=${hex("")}00`,
    "sha256=zz",
  ]) {
    assert.notEqual(verdict(github, { "x-hub-signature-256": value }), "ok", value);
  }
  for (const value of [`v1=${hex(".")}`, `t=,v1=${hex(".")}`, `t=1e9,v1=${hex("1e9.")}`, `t=${SECONDS}`]) {
    assert.notEqual(verdict({ scheme: "stripe", secret: "s" }, { "stripe-signature": value }), "ok", value);
  }
});
