import { LIMITS, type Limits } from "@sous/contract";
import Type, { type Static } from "typebox";
import { ROLE_NAMES } from "./role.ts";

const closed = { additionalProperties: false } as const;
const Text = (description: string) => Type.String({ minLength: 1, maxLength: 2048, description });
const Url = (pattern: string, description: string) => Type.String({ pattern, maxLength: 2048, description });
const Rate = (description: string) => Type.Number({ exclusiveMinimum: 0, maximum: 1_000_000, description });
const Amount = (description: string, atZero = "; 0: no bound") =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: `${description}${atZero}` });
const Credential = (description: string) => Type.String({ maxLength: 4096, description });
const Milliseconds = (description: string) =>
  Type.Integer({ minimum: 0, maximum: 86_400_000, description: `${description}, milliseconds` });

/** `bundleBytesMax` of the code is `bundle_bytes_max` in files. */
const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The limit each key under `limits` sets. */
export const LIMIT_BY_KEY: ReadonlyMap<string, keyof Limits> = new Map(
  (Object.keys(LIMITS) as (keyof Limits)[]).map((name) => [snakeCase(name), name]),
);

const LimitOverrides = Type.Object(
  Object.fromEntries(
    [...LIMIT_BY_KEY].map(([key, name]) => [
      key,
      Type.Optional(Type.Integer({ minimum: 0, description: `instead of ${LIMITS[name]}` })),
    ]),
  ) as Record<string, ReturnType<typeof Type.Optional<ReturnType<typeof Type.Integer>>>>,
  closed,
);

const fields = {
  role: Type.Array(Type.Enum(ROLE_NAMES), {
    minItems: 1,
    maxItems: 16,
    description: `what this process is: all, or any of ${ROLE_NAMES.filter((name) => name !== "all").join(", ")}`,
  }),
  host: Text("address to listen on"),
  port: Type.Integer({ minimum: 0, maximum: 65_535, description: "0 picks a free one" }),
  data: Text("folder of the embedded store and the key file"),
  store: Url("^(sqlite:|postgres(ql)?://|rediss?://)", "sqlite:PATH, postgres://… or redis://…"),
  codeq: Url("^(memory:$|rediss?://|nats://)", "memory:, redis://… or nats://…"),
  bundles: Url("^(store:$|file:|s3://)", "store:, file:PATH or s3://…"),
  bundle_cache: Type.Object(
    {
      disk_bytes: Amount(
        "bytes of bundles kept on this machine's disk, where the store is on another; 0: none",
        "",
      ),
    },
    closed,
  ),
  s3: Type.Object(
    {
      access_key_id: Credential("of the bucket of bundles; none: as the environment of AWS's clients says"),
      secret_access_key: Credential("goes with s3.access_key_id"),
      session_token: Credential("of keys that expire"),
    },
    closed,
  ),
  leader: Url(
    "^(local|store|kubernetes):$",
    "who publishes ticks: local: (this process alone), store: or kubernetes: (one by a lease there)",
  ),
  kubernetes: Type.Object(
    {
      api: Url("^(https?://[^?#]+)?$", "URL of the API server; empty: that of the cluster this runs in"),
      namespace: Type.String({
        pattern: "^[a-z0-9-]{0,63}$",
        description: "where the Lease of `leader: kubernetes:` lies; empty: the service account's own",
      }),
      lease: Type.String({
        pattern: "^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$",
        description: "name of that Lease",
      }),
      service_account: Text("folder with token, ca.crt and namespace"),
    },
    closed,
  ),
  auth: Url("^(none$|local:$|(tikti|jwt)\\+https?://)", "none, local:, tikti+https://… or jwt+https://…"),
  auth_key: Type.String({ maxLength: 1024, description: "API key of the identity service" }),
  auth_cache_seconds: Type.Integer({ minimum: 0, maximum: 3600, description: "how long a token is trusted" }),
  cadence: Url(
    "^(none$|grpcs?://[^/?#@]+$)",
    "Cadence server whose activities functions do: none or grpc://HOST:7833",
  ),
  cadence_token: Type.String({ maxLength: 8192, description: "JWT for the Cadence server" }),
  cadence_domains: Type.Array(
    Type.String({
      pattern: "^t_[a-z0-9]{6,32}/.{1,128}$",
      maxLength: 256,
      description: "TENANT/DOMAIN or TENANT/*",
    }),
    {
      maxItems: 1024,
      description: "domains of Cadence whose tasks a tenant may take; none: every tenant every one",
    },
  ),
  cadence_refresh_seconds: Type.Integer({
    minimum: 1,
    maximum: 3600,
    description: "how often workers that other processes changed are read",
  }),
  tenant_weights: Type.Array(
    Type.String({
      pattern: "^t_[a-z0-9]{6,32}=(?:[1-9][0-9]{0,3}|0\\.[0-9]{0,2}[1-9])$",
      maxLength: 64,
      description: "TENANT=WEIGHT",
    }),
    {
      maxItems: 1024,
      description:
        "shares of tenants in what invokers take from the queue while more waits than they run, 0.001 to 9999; who is not named has 1",
    },
  ),
  event_source_refresh_seconds: Type.Integer({
    minimum: 1,
    maximum: 300,
    description: "how often event sources that other processes changed are read",
  }),
  secrets_key: Type.Array(Type.String({ maxLength: 128 }), {
    maxItems: 16,
    description:
      "keys that secrets are encrypted with, the newest first; none: the key file of the data folder",
  }),
  cluster: Type.Object(
    {
      heartbeat_ms: Type.Integer({
        minimum: 100,
        maximum: 60_000,
        description:
          "pause between two heartbeats of a process, milliseconds; silent for six of them it counts as gone",
      }),
      placement: Type.Enum(["warm", "any"], {
        description:
          "who runs synchronous calls where invokers share a queue; warm: one that has the version ready, within bounds of load; any: whoever has room",
      }),
    },
    closed,
  ),
  cluster_name: Type.String({ maxLength: 256, description: "shown in logs" }),
  environment: Type.String({ maxLength: 256, description: "shown in logs" }),
  durability: Type.Enum(["relaxed", "strict"], { description: "of versions that do not say" }),
  log_level: Type.Enum(["debug", "info", "warn", "error", "silent"]),
  drain_ms: Milliseconds("how long running work may end in at shutdown"),
  drain_notice_ms: Milliseconds("how long /readyz says so before connections are refused at shutdown"),
  metrics_public: Type.Boolean({ description: "/metrics for everybody, not only for this machine" }),
  trusted_proxies: Type.Array(Text("address or CIDR range"), { maxItems: 256 }),
  rate_limits: Type.Object(
    {
      enabled: Type.Boolean(),
      tenant_rps: Rate("requests a second of a tenant"),
      function_rps: Rate("requests a second of a function ref"),
      client_rps: Rate("requests a second of a client address"),
    },
    closed,
  ),
  budgets: Type.Object(
    {
      window_seconds: Type.Integer({
        minimum: 1,
        maximum: 2_678_400,
        description: "how long a budget lasts",
      }),
      tenant_invocations: Amount("invocations of a tenant in a window"),
      tenant_cpu_ms: Amount("processor time of a tenant in a window, milliseconds"),
      tenant_egress_bytes: Amount("bytes of a tenant's calls out in a window"),
      token_invocations: Amount("invocations of a token's subject in a window"),
      token_cpu_ms: Amount("processor time of a token's subject in a window, milliseconds"),
      token_egress_bytes: Amount("bytes of calls out of a token's subject in a window"),
      depth_max: Type.Integer({
        minimum: 1,
        maximum: 100,
        description: "functions that may call one another",
      }),
    },
    closed,
  ),
  egress: Type.Object(
    {
      private_allow: Type.Array(Text("CIDR range"), {
        maxItems: 256,
        description: "private ranges functions may reach; for development and tests",
      }),
    },
    closed,
  ),
  idle: Type.Object(
    {
      host_ms: Milliseconds("a tenant's sandbox host without work ends after"),
      isolate_ms: Milliseconds("a warm isolate without work ends after"),
    },
    closed,
  ),
  publish: Type.Object(
    {
      approve: Type.Enum(["never", "new-powers"], {
        description: "new-powers: an alias goes to a version with new powers only with an approval",
      }),
    },
    closed,
  ),
  sandbox: Type.Object(
    {
      require: Type.Enum(["any", "closed", "strict"], {
        description:
          "how far the operating system has to close sandbox hosts; closed: unprivileged, no files, filtered for good; strict: every layer",
      }),
    },
    closed,
  ),
  limits: LimitOverrides,
};

/** The settings of a process, snake_case as they stand in `cs.yaml`. */
export const ConfigSchema = Type.Object(fields, closed);
export type Config = Omit<Static<typeof ConfigSchema>, "limits"> & {
  /** Limits that differ from the defaults, by the names of code. */
  limits: Partial<Record<keyof Limits, number>>;
};

/** Which settings a process starts from. */
export type ConfigMode = "dev" | "serve";

/** @returns the defaults of a mode by dotted key; `store` and `leader` follow from other settings */
export function configDefaults(mode: ConfigMode): Record<string, unknown> {
  return {
    role: ["all"],
    host: "127.0.0.1",
    port: 8080,
    data: "./.sous",
    codeq: "memory:",
    bundles: "store:",
    "bundle_cache.disk_bytes": 1024 ** 3,
    "s3.access_key_id": "",
    "s3.secret_access_key": "",
    "s3.session_token": "",
    "kubernetes.api": "",
    "kubernetes.namespace": "",
    "kubernetes.lease": "sous-scheduler",
    "kubernetes.service_account": "/var/run/secrets/kubernetes.io/serviceaccount",
    auth: mode === "dev" ? "none" : "local:",
    auth_key: "",
    auth_cache_seconds: LIMITS.tokenCacheTtlMs / 1000,
    cadence: "none",
    cadence_token: "",
    cadence_domains: [],
    tenant_weights: [],
    cadence_refresh_seconds: 10,
    event_source_refresh_seconds: 5,
    secrets_key: [],
    "cluster.heartbeat_ms": 2000,
    "cluster.placement": "warm",
    cluster_name: "",
    environment: "",
    durability: "relaxed",
    // Whoever develops reads the terminal: what went well is told by the command line itself.
    log_level: mode === "dev" ? "warn" : "info",
    drain_ms: 10_000,
    drain_notice_ms: mode === "dev" ? 0 : 500,
    metrics_public: false,
    trusted_proxies: [],
    "rate_limits.enabled": mode === "serve",
    "rate_limits.tenant_rps": LIMITS.tenantRateRps,
    "rate_limits.function_rps": LIMITS.functionRateRps,
    "rate_limits.client_rps": LIMITS.clientRateRps,
    "budgets.window_seconds": 3600,
    "budgets.tenant_invocations": 0,
    "budgets.tenant_cpu_ms": 0,
    "budgets.tenant_egress_bytes": 0,
    "budgets.token_invocations": 0,
    "budgets.token_cpu_ms": 0,
    "budgets.token_egress_bytes": 0,
    "budgets.depth_max": 8,
    "egress.private_allow": [],
    "idle.host_ms": 300_000,
    "idle.isolate_ms": 60_000,
    "publish.approve": "never",
    "sandbox.require": "any",
  };
}

/** Keys whose value is a secret as a whole. */
export const SECRET_KEYS: ReadonlySet<string> = new Set([
  "auth_key",
  "cadence_token",
  "secrets_key",
  "s3.secret_access_key",
  "s3.session_token",
]);

type Field = { type?: string; properties?: Record<string, Field> };

/** Every key that may be set, dotted, with the JSON type of its value. */
export const CONFIG_KEYS: ReadonlyMap<string, string> = new Map(keysOf(ConfigSchema as unknown as Field, ""));

function keysOf(schema: Field, prefix: string): [string, string][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    field.properties === undefined
      ? [[`${prefix}${name}`, field.type ?? "string"] as [string, string]]
      : keysOf(field, `${prefix}${name}.`),
  );
}
