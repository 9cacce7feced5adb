import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNatsUrl } from "./nats-url.ts";

test("a URL is read with its defaults", () => {
  assert.deepEqual(parseNatsUrl("nats://queue.internal"), {
    host: "queue.internal",
    port: 4222,
    user: undefined,
    password: undefined,
    tls: false,
    prefix: "cs.codeq",
    replicas: 1,
  });
});

test("user, password and settings are read", () => {
  assert.deepEqual(parseNatsUrl("natss://me:p%40ss@[::1]:7000?prefix=a.b&replicas=3"), {
    host: "[::1]",
    port: 7000,
    user: "me",
    password: "p@ss",
    tls: true,
    prefix: "a.b",
    replicas: 3,
  });
});

for (const [url, why] of [
  ["redis://a", "another scheme"],
  ["nats:", "no host"],
  ["nats://a/x", "a path"],
  ["nats://a?replicas=2", "an even number of replicas"],
  ["nats://a?prefix=a..b", "an empty word in its prefix"],
  ["nats://a?prefix=a.>", "a wildcard in its prefix"],
  ["nats://:hunter2@a?password=x", "an unknown setting"],
] as const) {
  test(`a URL with ${why} is refused, without its password`, () => {
    assert.throws(
      () => parseNatsUrl(url),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "CS_VALIDATION_FAILED");
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      },
    );
  });
}
