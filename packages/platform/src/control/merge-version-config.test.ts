import assert from "node:assert/strict";
import test from "node:test";
import type { Manifest, VersionConfigInput } from "@sous/contract";
import { mergeVersionConfig } from "./merge-version-config.ts";
import { narrowCapabilities } from "./narrow-capabilities.ts";

const manifest: Manifest = {
  schema: "cs.function.script.v1",
  runtime: "cs-js",
  entry: "function.js",
  handler: "default",
  limits: { timeoutMs: 3000, memoryMb: 64, maxConcurrency: 10 },
  capabilities: {
    kv: { prefixes: ["orders:"], ops: ["get", "set"] },
    codeq: { publishTopics: ["jobs.*", "mail"] },
    http: { allowHosts: ["api.example.com", "*.example.org"], timeoutMs: 10_000 },
  },
  isolation: "context",
};
const SCOPE = { tenant: "t_default", namespace: "default" };
const merge = (input: VersionConfigInput) => mergeVersionConfig(manifest, input, SCOPE);
const refused = (input: VersionConfigInput, message: RegExp) =>
  assert.throws(
    () => merge(input),
    (error: Error & { code?: string }) =>
      error.code === "CS_VALIDATION_FAILED" && message.test(error.message),
  );

test("without a config the manifest holds as it is", () => {
  const config = merge({});
  assert.deepEqual(config.capabilities, {
    kv: { prefixes: ["orders:"], ops: ["get", "set"] },
    codeq: { publish_topics: ["jobs.*", "mail"] },
    http: { allow_hosts: ["api.example.com", "*.example.org"], timeout_ms: 10_000 },
  });
  assert.equal(config.isolation, "context");
});

test("limits move freely in both directions", () => {
  const config = merge({ timeout_ms: 900_000, memory_mb: 16, max_concurrency: 100, isolation: "warm" });
  assert.deepEqual(
    [config.timeout_ms, config.memory_mb, config.max_concurrency, config.isolation],
    [900_000, 16, 100, "warm"],
  );
});

test("capabilities narrow: a longer prefix, fewer ops, a part of a pattern", () => {
  const config = merge({
    capabilities: {
      kv: { prefixes: ["orders:2026:"], ops: ["get"] },
      codeq: { publish_topics: ["jobs.mail.*", "mail"] },
      http: { allow_hosts: ["EU.example.org", "*.eu.example.org"], timeout_ms: 1000 },
    },
  });
  assert.deepEqual(config.capabilities.kv, { prefixes: ["orders:2026:"], ops: ["get"] });
  assert.equal(config.capabilities.http.timeout_ms, 1000);
});

test("each power that is wider is refused by name", () => {
  refused({ capabilities: { kv: { prefixes: ["order"], ops: [] } } }, /kv\.prefixes/);
  refused({ capabilities: { kv: { prefixes: [], ops: ["del"] } } }, /kv\.ops/);
  refused({ capabilities: { codeq: { publish_topics: ["jobs"] } } }, /publish_topics/);
  refused({ capabilities: { codeq: { publish_topics: ["mail.x"] } } }, /publish_topics/);
  refused({ capabilities: { codeq: { publish_topics: ["*"] } } }, /publish_topics/);
  for (const host of [
    "example.com",
    "*.example.com",
    "example.org",
    "*.org",
    "badexample.org",
    "api.example.com.evil.org",
  ]) {
    refused({ capabilities: { http: { allow_hosts: [host] } } }, /allow_hosts/);
  }
  refused({ capabilities: { http: { allow_hosts: ["evil.com/.example.org"] } } }, /no host/);
  refused({ capabilities: { http: { allow_hosts: [], timeout_ms: 10_001 } } }, /http\.timeout_ms/);
});

test("a manifest without capabilities grants nothing", () => {
  assert.deepEqual(narrowCapabilities(undefined, undefined), {
    kv: { prefixes: [], ops: [] },
    codeq: { publish_topics: [] },
    http: { allow_hosts: [], timeout_ms: 5000 },
  });
  assert.throws(() => narrowCapabilities(undefined, { kv: { prefixes: ["a"], ops: [] } }));
  assert.throws(() => narrowCapabilities({}, { codeq: { publish_topics: ["a"] } }));
});

test("role lists that are left out deny; api and event follow only when they are given", () => {
  assert.deepEqual(merge({ authz: { invoke_http_roles: ["admin"] } }).authz, {
    invoke_http_roles: ["admin"],
    invoke_schedule_roles: [],
    invoke_cadence_roles: [],
  });
  assert.deepEqual(merge({ authz: { invoke_api_roles: [] } }).authz.invoke_api_roles, []);
});

test("a retry policy may be given in part, and must make sense", () => {
  assert.deepEqual(merge({ retry: { max_attempts: 1 } }).retry, {
    max_attempts: 1,
    backoff_ms: 1000,
    backoff_max_ms: 60_000,
    max_age_ms: 21_600_000,
  });
  refused({ retry: { backoff_ms: 5000, backoff_max_ms: 100 } }, /backoff_ms/);
});

test("secrets have the form kv:tenant/namespace/name and belong to the tenant", () => {
  assert.deepEqual(merge({ secrets: ["kv:t_default/payments/stripe_key"] }).secrets, [
    "kv:t_default/payments/stripe_key",
  ]);
  assert.deepEqual(merge({ secrets: ["stripe_key", "kv:t_default/default/stripe_key"] }).secrets, [
    "kv:t_default/default/stripe_key",
  ]);
  for (const name of [
    "stripe key",
    "kv:t_default/stripe_key",
    "t_default/default/key",
    "kv:t_default/a/b/c",
  ]) {
    refused({ secrets: [name] }, /kv:tenant\/namespace\/name/);
  }
  refused({ secrets: ["key", "kv:t_default/payments/key"] }, /two are called key/);
  refused({ secrets: ["kv:t_others/payments/stripe_key"] }, /another tenant/);
});

test("a secret bound to a host keeps its binding, and cannot be handed out as well", () => {
  const bound = { name: "key", host: "api.example.com", header: "Authorization" };
  const ref = "kv:t_default/default/key";
  assert.deepEqual(merge({ secrets: [bound] }).secrets, [{ ...bound, name: ref }]);
  const two = [bound, { name: "key", host: "*.eu.example.org" }];
  assert.equal(merge({ secrets: two }).secrets.length, 2);
  refused({ secrets: ["key", bound] }, /choose one/);
  refused({ secrets: [{ ...bound, name: "kv:t_others/default/key" }] }, /another tenant/);
});

const ruled: Manifest = {
  ...manifest,
  capabilities: {
    http: {
      allowHosts: ["open.example.com"],
      allow: [{ host: "api.example.com", methods: ["GET", "POST"], paths: ["/v1/*"], ports: [443, 8443] }],
    },
  },
};
const mergeRuled = (http: NonNullable<VersionConfigInput["capabilities"]>["http"]) =>
  mergeVersionConfig(ruled, { capabilities: { ...(http && { http }) } }, SCOPE).capabilities.http;

test("rules of the manifest hold as they are, and a config replaces both lists or none", () => {
  assert.deepEqual(mergeRuled(undefined), {
    allow_hosts: ["open.example.com"],
    allow: [{ host: "api.example.com", methods: ["GET", "POST"], paths: ["/v1/*"], ports: [443, 8443] }],
    timeout_ms: 5000,
  });
  assert.deepEqual(mergeRuled({ timeout_ms: 100 }).allow_hosts, ["open.example.com"]);
  assert.deepEqual(mergeRuled({ allow_hosts: [] }), { allow_hosts: [], timeout_ms: 5000 });
  const narrow = { host: "api.example.com", methods: ["GET" as const], paths: ["/v1/users/*"], ports: [443] };
  assert.deepEqual(mergeRuled({ allow: [narrow] }), { allow_hosts: [], allow: [narrow], timeout_ms: 5000 });
  const ofHost = { host: "open.example.com", methods: ["PUT" as const], paths: ["/a"] };
  assert.deepEqual(mergeRuled({ allow: [ofHost] }).allow, [ofHost]);
});

test("a rule that is wider in any part is refused", () => {
  const base = { host: "api.example.com", methods: ["GET" as const], paths: ["/v1/a"], ports: [443] };
  assert.ok(mergeRuled({ allow: [base] }));
  const { methods: _methods, ...anyMethod } = base;
  const { paths: _paths, ...anyPath } = base;
  const { ports: _ports, ...usualPorts } = base;
  for (const rule of [
    { ...base, host: "*.example.com" },
    { ...base, host: "example.com" },
    { ...base, methods: ["DELETE" as const] },
    { ...base, paths: ["/v1/a", "/v2"] },
    { ...base, paths: ["/*"] },
    { ...base, ports: [9443] },
    { host: "open.example.com", ports: [8443] },
    anyMethod,
    anyPath,
    usualPorts,
  ]) {
    assert.throws(
      () => mergeRuled({ allow: [rule] }),
      /capabilities\.http\.allow: the manifest does not grant/,
    );
  }
  assert.throws(() => mergeRuled({ allow_hosts: ["api.example.com"] }), /http\.allow_hosts/);
});

test("budgets of a function's own work move freely, those of its reach only narrow where the manifest sets them", () => {
  const declared: Manifest = { ...manifest, budgets: { cpuMs: 100, egressBytes: 1000, logBytes: 10 } };
  const mergeDeclared = (input: VersionConfigInput) => mergeVersionConfig(declared, input, SCOPE).budgets;
  assert.deepEqual(mergeDeclared({}), {
    ...merge({}).budgets,
    cpu_ms: 100,
    egress_bytes: 1000,
    log_bytes: 10,
  });
  const set = { cpu_ms: 900_000, log_bytes: 1000, egress_bytes: 999, host_calls: 100_000 };
  assert.deepEqual(mergeDeclared({ budgets: set }), { ...mergeDeclared({}), ...set });
  assert.throws(() => mergeDeclared({ budgets: { egress_bytes: 1001 } }), /egress_bytes.*1000.*narrow/);
  refused({ memory_mb: 32, budgets: { external_memory_mb: 33 } }, /external_memory_mb.*32 MiB/);
});
