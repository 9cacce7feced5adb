import assert from "node:assert/strict";
import test from "node:test";
import { loadConfig, type LoadConfigOptions, printConfig } from "./load-config.ts";
import { nearestName } from "./nearest-name.ts";

const load = (options: Partial<LoadConfigOptions> & { yaml?: string } = {}) =>
  loadConfig({
    mode: "dev",
    flags: {},
    env: {},
    readFile: (path) => (path === "cs.yaml" ? options.yaml : undefined),
    ...options,
  });
const refused = (options: Parameters<typeof load>[0], message: RegExp) =>
  assert.throws(
    () => load(options),
    (error: Error & { code?: string }) =>
      error.code === "CS_VALIDATION_FAILED" && message.test(error.message),
  );

test("development needs no setting at all", () => {
  const { config } = load();
  assert.equal(config.host, "127.0.0.1");
  assert.equal(config.store, "sqlite:./.sous/sous.db");
  assert.equal(config.auth, "none");
  assert.equal(config.rate_limits.enabled, false);
  assert.deepEqual(config.egress.private_allow, []);
  assert.deepEqual(config.limits, {});
});

test("serving asks for tokens and limits rates", () => {
  const { config } = load({ mode: "serve" });
  assert.equal(config.auth, "local:");
  assert.deepEqual(config.rate_limits, { enabled: true, tenant_rps: 200, function_rps: 20, client_rps: 100 });
});

test("flags over environment over file over defaults, and each value says where it is from", () => {
  const { config, entries } = load({
    yaml: "port: 1\nhost: localhost\nlog_level: debug\nidle:\n  host_ms: 5\n",
    env: { SOUS_PORT: "2", SOUS_LOG_LEVEL: "warn" },
    flags: { port: 3, store: undefined },
  });
  assert.equal(config.port, 3);
  assert.equal(config.log_level, "warn");
  assert.equal(config.host, "localhost");
  assert.equal(config.idle.host_ms, 5);
  assert.equal(config.idle.isolate_ms, 60_000);
  const source = (key: string) => entries.find((entry) => entry.key === key)?.source;
  assert.deepEqual(["port", "log_level", "host", "idle.host_ms", "codeq"].map(source), [
    "flag",
    "env SOUS_LOG_LEVEL",
    "file cs.yaml",
    "file cs.yaml",
    "default",
  ]);
});

test("texts of the environment become what the setting is", () => {
  const { config } = load({
    env: {
      SOUS_RATE_LIMITS_ENABLED: "yes",
      SOUS_RATE_LIMITS_TENANT_RPS: "0.5",
      SOUS_EGRESS_PRIVATE_ALLOW: "10.0.0.0/8, fd00::/8",
      SOUS_LIMITS_BUNDLE_BYTES_MAX: "1024",
    },
  });
  assert.equal(config.rate_limits.enabled, true);
  assert.equal(config.rate_limits.tenant_rps, 0.5);
  assert.deepEqual(config.egress.private_allow, ["10.0.0.0/8", "fd00::/8"]);
  assert.deepEqual(config.limits, { bundleBytesMax: 1024 });
});

test("a store that may be shared has one leader by a lease, unless somebody says otherwise", () => {
  const leader = (store: string, flags = {}) => {
    const { config, entries } = load({ flags: { store, ...flags } });
    return [config.leader, entries.find(({ key }) => key === "leader")?.source];
  };
  assert.deepEqual(leader("sqlite:/srv/sous.db"), ["local:", "default"]);
  for (const store of ["postgres://db/sous", "postgresql://db/sous", "redis://db", "rediss://db"]) {
    assert.deepEqual(leader(store), ["store:", "default"]);
  }
  assert.deepEqual(leader("redis://db", { leader: "local:" }), ["local:", "flag"]);
  assert.deepEqual(leader("sqlite:/srv/sous.db", { leader: "store:" }), ["store:", "flag"]);
});

test("a Lease of Kubernetes needs an API server: that of the cluster, or one that was named", () => {
  const flags = { leader: "kubernetes:" };
  assert.throws(() => load({ flags }), /kubernetes\.api.*must be set/s);
  const inCluster = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
  assert.equal(load({ flags, env: inCluster }).config.kubernetes.api, "https://[fd00::1]:443");
  const named = { ...inCluster, SOUS_KUBERNETES_API: "http://127.0.0.1:8001" };
  const { config } = load({ flags, env: named });
  assert.deepEqual(config.kubernetes, {
    api: "http://127.0.0.1:8001",
    namespace: "",
    lease: "sous-scheduler",
    service_account: "/var/run/secrets/kubernetes.io/serviceaccount",
  });
});

test("the data folder moves the default store, not one that was set", () => {
  assert.equal(load({ flags: { data: "/srv/sous/" } }).config.store, "sqlite:/srv/sous/sous.db");
  assert.equal(
    load({ flags: { data: "/srv" }, env: { SOUS_STORE: "sqlite:x.db" } }).config.store,
    "sqlite:x.db",
  );
});

test("the origin's names are accepted, ours win", () => {
  const { config } = load({
    env: {
      CS_KVROCKS_ADDR: "kv:6666",
      CS_KVROCKS_PASSWORD: "p@ss",
      CS_TIKTI_INTROSPECTION_URL: "https://tikti.example/i",
      CS_TIKTI_API_KEY: "k",
      CS_TIKTI_CACHE_TTL_SECONDS: "30",
      CS_ENVIRONMENT: "prod",
      CS_PORT: "1",
      SOUS_PORT: "2",
      CS_SOMETHING_ELSE: "x",
    },
  });
  assert.equal(config.store, "redis://:p%40ss@kv:6666");
  assert.equal(config.auth, "tikti+https://tikti.example/i");
  assert.equal(config.auth_cache_seconds, 30);
  assert.equal(config.environment, "prod");
  assert.equal(config.port, 2);
});

test("unknown settings are errors that name the nearest known one", () => {
  refused({ yaml: "prot: 1" }, /cs\.yaml: prot is not a setting; did you mean port\?/);
  refused({ yaml: "rate_limits:\n  tennant_rps: 1" }, /did you mean rate_limits\.tenant_rps\?/);
  refused({ env: { SOUS_STROE: "sqlite:" } }, /SOUS_STROE is not a setting; did you mean SOUS_STORE\?/);
  refused({ flags: { hots: "x" } }, /did you mean host\?/);
  refused({ yaml: "limits:\n  bundle_bytes: 1" }, /bundle_bytes_max/);
  refused({ yaml: "__proto__:\n  port: 1" }, /__proto__ is not a setting/);
  load({ env: { SOUS_TOKEN: "x", SOUS_TEST_REQUIRE: "all" } });
});

test("wrong values are refused by name and source", () => {
  refused({ env: { SOUS_PORT: "http" } }, /setting port \(env SOUS_PORT\) must be integer/);
  refused({ yaml: "port: 70000" }, /setting port \(file cs\.yaml\)/);
  refused({ flags: { store: "mongodb://x" } }, /setting store \(flag\)/);
  refused(
    { yaml: "egress:\n  private_allow: [10.0.0.0/99]" },
    /egress\.private_allow \(file cs\.yaml\) 10\.0\.0\.0\/99/,
  );
  refused({ yaml: "log_level: loud" }, /"debug", "info"/);
  refused({ yaml: "- a" }, /must be a mapping/);
  refused({ yaml: "a: [" }, /not YAML/);
  refused({ flags: { config: "missing.yaml" } }, /no file missing\.yaml/);
});

test("without authentication only loopback is listened on", () => {
  refused({ flags: { host: "0.0.0.0" } }, /setting host \(flag\) must be a loopback address/);
  refused({ flags: { host: "::" } }, /loopback/);
  for (const host of ["localhost", "127.0.0.1", "::1"]) load({ flags: { host } });
  assert.equal(load({ flags: { host: "0.0.0.0", auth: "local:" } }).config.host, "0.0.0.0");
});

test("printed settings show their source and no secret", () => {
  const text = printConfig(
    load({
      env: {
        SOUS_STORE: "postgres://sous:hunter2@db/sous",
        SOUS_AUTH: "tikti+https://t.example/i?key=hunter2",
        SOUS_AUTH_KEY: "hunter2",
        SOUS_SECRETS_KEY: "hunter2,hunter2",
      },
    }).entries,
  );
  assert.doesNotMatch(text, /hunter2/);
  assert.match(text, /^store: "postgres:\/\/sous:\[redacted\]@db\/sous" {2}# env SOUS_STORE$/m);
  assert.match(text, /^auth_key: "\[redacted\]"/m);
  assert.match(text, /^secrets_key: "\[redacted\]"/m);
});

test("a name far from all has no nearest", () => {
  assert.equal(nearestName("zzzzzzzz", ["port", "host"]), undefined);
  assert.equal(nearestName("PORT", ["port"]), "port");
});
