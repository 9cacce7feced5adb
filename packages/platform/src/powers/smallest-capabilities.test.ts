import assert from "node:assert/strict";
import test from "node:test";
import { createParser, Manifest } from "@sous/contract";
import { type ObservedCall, observedCall } from "./observed-calls.ts";
import { smallestCapabilities } from "./smallest-capabilities.ts";

const call = (operation: string, ...args: unknown[]): ObservedCall => {
  const seen = observedCall({ operation, argumentsJson: JSON.stringify(args) });
  assert.ok(seen !== undefined, `${operation} ${JSON.stringify(args)}`);
  return seen;
};
const smallest = (...calls: ObservedCall[]) => smallestCapabilities(calls);

test("no calls need nothing", () => assert.deepEqual(smallest(), {}));

test("keys become the longest prefix of each family, cut back to a separator", () => {
  const prefixes = (...keys: string[]) => smallest(...keys.map((key) => call("kv.get", key))).kv?.prefixes;
  assert.deepEqual(prefixes("orders:17"), ["orders:"]);
  assert.deepEqual(prefixes("orders:17", "orders:18"), ["orders:"]);
  assert.deepEqual(prefixes("orders:2026:1", "orders:2026:2"), ["orders:2026:"]);
  assert.deepEqual(prefixes("orders:2026:1", "orders:2025:2", "orders:2026:3"), ["orders:"]);
  assert.deepEqual(prefixes("visits", "users/7", "users/8/name"), ["users/", "visits"]);
  assert.deepEqual(prefixes("a:b", "a"), ["a", "a:"]);
});

test("operations are those that were called", () => {
  const { kv } = smallest(call("kv.del", "a:1"), call("kv.get", "a:1"), call("kv.get", "a:2"));
  assert.deepEqual(kv, { prefixes: ["a:"], ops: ["get", "del"] });
});

test("calls out become rules by host, methods, paths and ports", () => {
  const { http } = smallest(
    call("http.fetch", "https://api.example.com/v1/a?x=1"),
    call("http.fetch", "https://api.example.com/v1/b", {}),
    call("http.fetch", "https://api.example.com/v1/c", { method: "post" }),
    call("http.fetch", "https://api.example.com/v1/c"),
    call("http.fetch", "https://other.example.com:8443/"),
  );
  assert.deepEqual(http, {
    allow: [
      { host: "api.example.com", methods: ["GET"], paths: ["/v1/a", "/v1/b"] },
      { host: "api.example.com", methods: ["GET", "POST"], paths: ["/v1/c"] },
      { host: "other.example.com", methods: ["GET"], ports: [8443], paths: ["/"] },
    ],
  });
});

test("what comes out is always a valid part of a manifest", () => {
  const calls: ObservedCall[] = [];
  for (let n = 0; n < 200; n += 1) {
    calls.push(call("kv.set", `family${n}:1`, n), call("codeq.publish", `topic.${n}`, n));
    calls.push(call("http.fetch", `https://a.example.com/path/${n}`));
    calls.push(call("http.fetch", `https://a${n}.example.com:8443/${"x".repeat(n * 3)}`));
    calls.push(
      call("http.fetch", "https://b.example.com/a%2fb*"),
      call("http.fetch", "http://c.example.com:25/"),
    );
    calls.push(call("http.fetch", "http://a!b.example.com/"), call("kv.get", "k".repeat(500)));
  }
  const manifest = {
    schema: "cs.function.script.v1",
    runtime: "cs-js",
    entry: "function.js",
    handler: "default",
    limits: { timeoutMs: 1, memoryMb: 16, maxConcurrency: 1 },
    capabilities: smallestCapabilities(calls),
  };
  assert.deepEqual(createParser(Manifest, "the manifest").issues(manifest), []);
});

test("what no capability could allow is not observed", () => {
  for (const [operation, ...args] of [
    ["kv.get"],
    ["kv.get", 1],
    ["kv.get", ""],
    ["codeq.publish", "cs.invoke", 1],
    ["http.fetch", "no url"],
    ["http.fetch", "file:///etc/passwd"],
    ["http.fetch", "https://a.example/", { method: "BREW" }],
    ["cadence.heartbeat", {}],
    ["nothing", "x"],
  ] as [string, ...unknown[]][]) {
    const seen = observedCall({ operation, argumentsJson: JSON.stringify(args) });
    assert.equal(seen, undefined, `${operation} ${JSON.stringify(args)}`);
  }
  assert.equal(observedCall({ operation: "kv.get", argumentsJson: "{" }), undefined);
});
