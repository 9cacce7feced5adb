import assert from "node:assert/strict";
import test from "node:test";
import type { VersionConfig } from "@sous/contract";
import { comparePowers } from "./compare-powers.ts";

const BASE: VersionConfig = {
  timeout_ms: 3000,
  memory_mb: 64,
  max_concurrency: 10,
  env: {},
  capabilities: {
    kv: { prefixes: ["orders:"], ops: ["get"] },
    codeq: { publish_topics: ["jobs.*"] },
    http: { allow_hosts: ["*.example.com"], timeout_ms: 5000 },
  },
  authz: { invoke_http_roles: [], invoke_schedule_roles: [], invoke_cadence_roles: [] },
  secrets: [{ name: "kv:t_default/default/key", host: "api.example.com" }],
  retry: { max_attempts: 3, backoff_ms: 1, backoff_max_ms: 1, max_age_ms: 1 },
  isolation: "context",
  durability: "relaxed",
};
const NOTHING: VersionConfig = {
  ...BASE,
  capabilities: {
    kv: { prefixes: [], ops: [] },
    codeq: { publish_topics: [] },
    http: { allow_hosts: [], timeout_ms: 5000 },
  },
  secrets: [],
};

function diff(config: VersionConfig, ...before: VersionConfig[]) {
  const { against, added, removed } = comparePowers(
    config,
    before.map((each, index) => ({ version: index + 1, config: each })),
  );
  const text = (powers: typeof added) => powers.map(({ kind, what }) => `${kind}: ${what}`);
  return { against, added: text(added), removed: text(removed) };
}

test("against nothing every power is new, and limits are none", () => {
  assert.deepEqual(diff(BASE), {
    against: null,
    added: [
      "kv: get orders:*",
      "topic: jobs.*",
      "http: any method *.example.com /*",
      "secret: kv:t_default/default/key to api.example.com",
    ],
    removed: [],
  });
  assert.deepEqual(diff(NOTHING).added, []);
});

test("what an older power covers is not new", () => {
  const narrower: VersionConfig = {
    ...BASE,
    timeout_ms: 1000,
    isolation: "fresh",
    capabilities: {
      kv: { prefixes: ["orders:2026:"], ops: ["get"] },
      codeq: { publish_topics: ["jobs.mail"] },
      http: {
        allow_hosts: ["a.example.com"],
        allow: [{ host: "b.example.com", methods: ["GET"], paths: ["/v1/*"] }],
        timeout_ms: 100,
      },
    },
    secrets: [{ name: "kv:t_default/default/key", host: "api.example.com", header: "x-key" }],
  };
  assert.deepEqual(diff(narrower, BASE).added, []);
  assert.deepEqual(diff(narrower, BASE).removed, [
    "kv: get orders:*",
    "topic: jobs.*",
    "http: any method *.example.com /*",
    "secret: kv:t_default/default/key to api.example.com",
  ]);
  assert.deepEqual(diff(BASE, narrower).removed, []);
});

test("each thing that is wider is named", () => {
  const wider: VersionConfig = {
    ...BASE,
    timeout_ms: 10_000,
    memory_mb: 128,
    isolation: "warm",
    capabilities: {
      kv: { prefixes: ["orders:"], ops: ["get", "del"] },
      codeq: { publish_topics: ["jobs.*", "mail"] },
      http: {
        allow_hosts: ["*.example.com"],
        allow: [{ host: "api.stripe.com", methods: ["GET", "POST"], paths: ["/v1/*"], ports: [443, 8443] }],
        timeout_ms: 9000,
      },
    },
    secrets: ["kv:t_default/default/key"],
  };
  assert.deepEqual(diff(wider, BASE), {
    against: 1,
    added: [
      "kv: del orders:*",
      "topic: mail",
      "http: GET,POST api.stripe.com:443,8443 /v1/*",
      "secret: kv:t_default/default/key (its value)",
      "limit: timeout_ms 10000 (was 3000)",
      "limit: memory_mb 128 (was 64)",
      "limit: http.timeout_ms 9000 (was 5000)",
      "isolation: warm (was context)",
    ],
    removed: [],
  });
});

test("among several versions behind an alias each may cover", () => {
  assert.deepEqual(diff(BASE, NOTHING, BASE), { against: 1, added: [], removed: [] });
  assert.deepEqual(diff({ ...BASE, timeout_ms: 2000 }, { ...BASE, timeout_ms: 1000 }, BASE).added, []);
});
