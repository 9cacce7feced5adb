import Type, { type Static } from "typebox";
import { Budgets } from "./budgets.ts";
import { Destination } from "./destination.ts";
import { Host, HttpAllowList } from "./http-allow.ts";
import { Isolation, KvCapability } from "./manifest.ts";

const closed = { additionalProperties: false } as const;
const Roles = Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 256 });

/** What a version may do once published: snake_case, every section present (SPEC 2). */
export const Capabilities = Type.Object(
  {
    kv: KvCapability,
    codeq: Type.Object(
      { publish_topics: Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 64 }) },
      closed,
    ),
    http: Type.Object(
      {
        allow_hosts: Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { maxItems: 128 }),
        /** Absent where there are none. */
        allow: Type.Optional(HttpAllowList),
        timeout_ms: Type.Integer({ minimum: 1, maximum: 30_000 }),
      },
      closed,
    ),
  },
  closed,
);
export type Capabilities = Static<typeof Capabilities>;

const SecretRef = Type.String({
  minLength: 1,
  maxLength: 256,
  description: "kv:tenant/namespace/name, or the name alone for one of the function's own namespace",
});

/** A secret that code never sees: the platform puts it into headers on their way to this host. */
export const BoundSecret = Type.Object(
  {
    name: SecretRef,
    host: Host,
    header: Type.Optional(
      Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$", description: "In this header only" }),
    ),
  },
  closed,
);
export type BoundSecret = Static<typeof BoundSecret>;

/** What a version may have of a secret: its value by name, or its use on the way to a host. */
export const SecretGrant = Type.Union([SecretRef, BoundSecret]);
export type SecretGrant = Static<typeof SecretGrant>;

/** Role lists of a version. An empty list denies its trigger; `public` lets web calls in without a token. */
export const VersionAuthz = Type.Object(
  {
    invoke_http_roles: Roles,
    invoke_schedule_roles: Roles,
    invoke_cadence_roles: Roles,
    invoke_api_roles: Type.Optional(Roles),
    invoke_event_roles: Type.Optional(Roles),
  },
  closed,
);
export type VersionAuthz = Static<typeof VersionAuthz>;

/** How failed asynchronous attempts are repeated. */
export const RetryPolicy = Type.Object(
  {
    max_attempts: Type.Integer({ minimum: 1, maximum: 20 }),
    backoff_ms: Type.Integer({ minimum: 0, maximum: 3_600_000 }),
    backoff_max_ms: Type.Integer({ minimum: 0, maximum: 3_600_000 }),
    max_age_ms: Type.Integer({ minimum: 1, maximum: 604_800_000 }),
  },
  closed,
);
export type RetryPolicy = Static<typeof RetryPolicy>;

const EnvMap = Type.Record(
  Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]{0,127}$" }),
  Type.String({ maxLength: 4096 }),
  { maxProperties: 128, additionalProperties: false },
);

const fields = {
  timeout_ms: Type.Integer({ minimum: 1, maximum: 900_000 }),
  memory_mb: Type.Integer({ minimum: 16, maximum: 4096 }),
  max_concurrency: Type.Integer({ minimum: 1, maximum: 100 }),
  env: EnvMap,
  capabilities: Capabilities,
  authz: VersionAuthz,
  secrets: Type.Array(SecretGrant, { maxItems: 64 }),
  retry: RetryPolicy,
  isolation: Isolation,
  durability: Type.Enum(["relaxed", "strict"]),
  /** Told of asynchronous activations that succeeded. */
  on_success: Type.Optional(Destination),
  /** Told of those that failed for good. */
  on_failure: Type.Optional(Destination),
};

/** The config a published version has: complete, immutable. `budgets` is absent in versions published before there were any: see `budgetsOf`. */
export const VersionConfig = Type.Object({ ...fields, budgets: Type.Optional(Budgets) }, closed);
export type VersionConfig = Static<typeof VersionConfig>;

/** The config a caller sends with a publish: every field optional, the manifest and the defaults fill in. */
export const VersionConfigInput = Type.Partial(
  Type.Object(
    {
      ...fields,
      capabilities: Type.Partial(
        Type.Object(
          {
            kv: KvCapability,
            codeq: Capabilities.properties.codeq,
            http: Type.Object(
              {
                allow_hosts: Type.Optional(Capabilities.properties.http.properties.allow_hosts),
                allow: Type.Optional(HttpAllowList),
                timeout_ms: Type.Optional(Capabilities.properties.http.properties.timeout_ms),
              },
              closed,
            ),
          },
          closed,
        ),
        closed,
      ),
      authz: Type.Partial(VersionAuthz, closed),
      budgets: Type.Partial(Budgets, closed),
      retry: Type.Partial(RetryPolicy, closed),
    },
    closed,
  ),
  closed,
);
export type VersionConfigInput = Static<typeof VersionConfigInput>;
