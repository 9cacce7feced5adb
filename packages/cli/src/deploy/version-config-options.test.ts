import test from "node:test";
import assert from "node:assert/strict";
import { Command } from "commander";
import {
  addVersionConfigOptions,
  parseDestination,
  readVersionConfig,
  secretList,
} from "./version-config-options.ts";

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

test("how often and how long a queued call is tried is given in times people write", () => {
  assert.deepEqual(readVersionConfig({ maxAttempts: 5, backoff: 500, maxAge: 604_800_000 }), {
    retry: { max_attempts: 5, backoff_ms: 500, max_age_ms: 604_800_000 },
  });
  assert.deepEqual(readVersionConfig({}), {});
  const command = addVersionConfigOptions(new Command()).exitOverride();
  command.parse(["--max-attempts", "3", "--backoff", "2s", "--backoff-max", "5m", "--max-age", "3d"], {
    from: "user",
  });
  assert.deepEqual(readVersionConfig(command.opts()), {
    retry: { max_attempts: 3, backoff_ms: 2000, backoff_max_ms: 300_000, max_age_ms: 259_200_000 },
  });
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
