import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import test from "node:test";
import { isWebhookSecret, webhookHeaders } from "./sign-webhook.ts";

test("the signature is that of the specification's example", async () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const body = '{"test": 2432232314}';
  const headers = await webhookHeaders("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330_000, body, secret);
  assert.deepEqual(headers, {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  });
});

test("it is an HMAC of id, time and body, whatever letters the body has", async () => {
  const key = Buffer.alloc(32, 7);
  const body = JSON.stringify({ text: "Grüße 🎈" });
  const headers = await webhookHeaders("dst_1", 1_999, body, `whsec_${key.toString("base64")}`);
  const mac = createHmac("sha256", key).update(`dst_1.1.${body}`).digest("base64");
  assert.equal(headers["webhook-signature"], `v1,${mac}`);
});

test("without a secret there is no signature", async () => {
  assert.deepEqual(await webhookHeaders("dst_1", 1_000, "{}", undefined), {
    "webhook-id": "dst_1",
    "webhook-timestamp": "1",
  });
});

test("a secret is whsec_ and 24 to 64 bytes", () => {
  const secretOf = (bytes: number): string => `whsec_${Buffer.alloc(bytes, 1).toString("base64")}`;
  for (const bytes of [24, 32, 64]) assert.ok(isWebhookSecret(secretOf(bytes)), String(bytes));
  for (const bytes of [0, 23, 65]) assert.ok(!isWebhookSecret(secretOf(bytes)), String(bytes));
  assert.ok(!isWebhookSecret("hunter22hunter22hunter22hunter22hunter22"));
  assert.ok(!isWebhookSecret("whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"));
});
