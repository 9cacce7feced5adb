import test from "node:test";
import assert from "node:assert/strict";
import { parseDestination, readVersionConfig, secretList } from "./version-config-options.ts";

test("secrets are names, or names with the host and the header they are for", () => {
  assert.deepEqual(
    secretList("plain, kv:t_default/pay/key ,key@api.example.com,key@*.example.com:X-Api-Key,key@[::1]:auth"),
    [
      "plain",
      "kv:t_default/pay/key",
      { name: "key", host: "api.example.com" },
      { name: "key", host: "*.example.com", header: "X-Api-Key" },
      { name: "key", host: "[::1]", header: "auth" },
    ],
  );
  for (const bad of ["@host", "key@", "key@host:", "key@host:80:x", "a@b@c"]) {
    assert.throws(() => secretList(bad), /NAME@HOST/, bad);
  }
});

test("a destination is a function, a topic or a URL; the secret signs webhooks only", () => {
  const onSuccess = parseDestination("https://example.com/hook");
  const onFailure = parseDestination("function:mend@prod");
  assert.deepEqual(readVersionConfig({ onSuccess, onFailure, webhookSecret: "hook" }), {
    on_success: { webhook: { url: "https://example.com/hook", secret: "hook" } },
    on_failure: { function: "mend@prod" },
  });
  assert.deepEqual(parseDestination("topic:jobs.done"), { topic: "jobs.done" });
  for (const bad of ["", "mend@prod", "topic:", "ftp://example.com"]) {
    assert.throws(() => parseDestination(bad), /function:NAME@REF/, bad);
  }
});

test("the format makes CloudEvents of webhooks and topics, and leaves functions alone", () => {
  const onSuccess = parseDestination("https://example.com/hook");
  const onFailure = parseDestination("topic:jobs.failed");
  const structured = "cloudevents-structured";
  assert.deepEqual(readVersionConfig({ onSuccess, onFailure, destinationFormat: structured }), {
    on_success: { webhook: { url: "https://example.com/hook", format: structured } },
    on_failure: { topic: "jobs.failed", format: structured },
  });
  const mend = parseDestination("function:mend");
  const destinationFormat = "cloudevents-binary";
  assert.deepEqual(readVersionConfig({ onSuccess: mend, destinationFormat }), { on_success: mend });
  assert.throws(() => readVersionConfig({ onFailure, destinationFormat }), /has none/);
});
