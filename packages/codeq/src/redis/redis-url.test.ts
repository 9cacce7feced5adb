import assert from "node:assert/strict";
import { test } from "node:test";
import { shownAddress } from "@sous/store/redis-link";
import { parseRedisUrl } from "./redis-url.ts";

test("a URL is read with its defaults", () => {
  const { address, prefix, shards } = parseRedisUrl("redis://queue.internal");
  const { host, port, db, tls, password } = address;
  assert.deepEqual(
    [host, port, db, tls, prefix, shards, password],
    ["queue.internal", 6379, 0, false, "cs:codeq:", 1, undefined],
  );
});

test("user, password, database and settings are read, and the address for people shows no secret", () => {
  const { address, prefix, shards } = parseRedisUrl("rediss://me:p%40ss@[::1]:7000/3?prefix=a:&shards=4");
  const { username, password, db, tls } = address;
  assert.deepEqual([username, password, db, tls, prefix, shards], ["me", "p@ss", 3, true, "a:", 4]);
  assert.equal(shownAddress(address), "[::1]:7000");
});

for (const [url, why] of [
  ["nats://a", "another scheme"],
  ["redis:", "no host"],
  ["redis://a/x", "a database that is no number"],
  ["redis://a?shards=0", "no shards"],
  ["redis://a?shards=65", "too many shards"],
  ["redis://a?prefix={x}", "a prefix with braces"],
  ["redis://:hunter2@a?password=x", "an unknown setting"],
] as const) {
  test(`a URL with ${why} is refused, without its password`, () => {
    assert.throws(
      () => parseRedisUrl(url),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "CS_VALIDATION_FAILED");
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      },
    );
  });
}
