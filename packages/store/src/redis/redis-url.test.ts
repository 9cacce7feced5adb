import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStoreUrl } from "./redis-url.ts";

test("a URL names the server and what all keys begin with", () => {
  const { address, prefix } = parseStoreUrl("rediss://me:p%40ss@store.internal:7000/3?prefix={a}:");
  assert.deepEqual([address.host, address.port, address.db, address.tls], ["store.internal", 7000, 3, true]);
  assert.deepEqual([address.username, address.password, prefix], ["me", "p@ss", "{a}:"]);
  assert.equal(parseStoreUrl("redis://a").prefix, "cs:", "the names of the contract");
});

for (const [url, why] of [
  ["postgres://a", "another scheme"],
  ["redis://:hunter2@a?shards=2", "a setting of the queue"],
  ["redis://a?prefix=", "an empty prefix"],
  ["redis://a?prefix={}:", "an empty tag"],
  ["redis://a?prefix={a}{b}", "two tags"],
  ["redis://a?prefix=a*", "a prefix with a pattern"],
] as const) {
  test(`a URL with ${why} is refused, without its password`, () => {
    assert.throws(
      () => parseStoreUrl(url),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "CS_VALIDATION_FAILED");
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      },
    );
  });
}
