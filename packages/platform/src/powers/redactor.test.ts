import assert from "node:assert/strict";
import test from "node:test";
import { createRedactor } from "./redactor.ts";

const LONG = `-----BEGIN KEY-----\n${"abcdefghijklmnop+/".repeat(40)}\n-----END KEY-----`;

test("short and long secrets are taken out in each spelling", () => {
  const redactor = createRedactor();
  for (const secret of ["sk_live_1234/5", LONG]) {
    redactor.add(secret);
    const spellings = [
      secret,
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
      Buffer.from(secret).toString("hex"),
    ];
    for (const spelling of spellings) assert.equal(redactor.redact(`a ${spelling} b`), "a [redacted] b");
    const inBase64 = redactor.redact(Buffer.from(`user:${secret}`).toString("base64"));
    assert.ok(inBase64.replace("[redacted]", "").length <= 16, inBase64);
  }
});

test("without secrets, and without one in it, a text comes through as it is", () => {
  const redactor = createRedactor();
  assert.equal(redactor.redact("text $& $1"), "text $& $1");
  redactor.add("secret-value");
  redactor.add(LONG);
  assert.equal(redactor.redact("secret-valu"), "secret-valu");
  assert.equal(redactor.redact(""), "");
});

test("values of before a rotation are remembered, up to a bound, the newest first", () => {
  const redactor = createRedactor();
  for (let round = 0; round < 300; round += 1) redactor.add(`value-number-${round}-`);
  assert.equal(redactor.redact("value-number-299-"), "[redacted]");
  assert.equal(redactor.redact("value-number-100-"), "[redacted]");
  assert.equal(redactor.redact("value-number-0-"), "value-number-0-");
});
