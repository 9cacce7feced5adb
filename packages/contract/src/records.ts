import Type, { type Static } from "typebox";
import { VersionConfig } from "./version-config.ts";

const closed = { additionalProperties: false } as const;
const TimeMs = Type.Integer({ minimum: 0 });

export const FunctionRecord = Type.Object(
  {
    tenant: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    runtime: Type.String(),
    entry: Type.String(),
    handler: Type.String(),
    created_at_ms: TimeMs,
    deleted_at_ms: Type.Union([TimeMs, Type.Null()]),
  },
  closed,
);
export type FunctionRecord = Static<typeof FunctionRecord>;

export const VersionRecord = Type.Object(
  {
    version: Type.Integer({ minimum: 1 }),
    sha256: Type.String(),
    size_bytes: TimeMs,
    runtime: Type.String(),
    entry: Type.String(),
    handler: Type.String(),
    config: VersionConfig,
    published_at_ms: TimeMs,
    published_by: Type.String(),
  },
  closed,
);
/** An immutable version: where its bundle is (`sha256`) and everything it may do. */
export type VersionRecord = Static<typeof VersionRecord>;

export const AliasRecord = Type.Object(
  {
    alias: Type.String(),
    version: Type.Integer({ minimum: 1 }),
    /** Share of calls that go to another version instead, 0–1 by version number (canary). */
    weights: Type.Optional(
      Type.Record(Type.String({ pattern: "^[1-9][0-9]*$" }), Type.Number({ minimum: 0, maximum: 1 })),
    ),
    updated_at_ms: TimeMs,
  },
  closed,
);
export type AliasRecord = Static<typeof AliasRecord>;

export const DraftRecord = Type.Object(
  {
    draft_id: Type.String(),
    sha256: Type.String(),
    size_bytes: TimeMs,
    created_at_ms: TimeMs,
    expires_at_ms: TimeMs,
    consumed: Type.Boolean(),
  },
  closed,
);
export type DraftRecord = Static<typeof DraftRecord>;

export const SecretRecord = Type.Object(
  {
    name: Type.String(),
    /** Counts the values it has had; 1 for the first. */
    version: Type.Integer({ minimum: 1 }),
    /** Which key its value is encrypted with. */
    key_id: Type.String(),
    created_at_ms: TimeMs,
    updated_at_ms: TimeMs,
  },
  closed,
);
/** A secret as it may be shown: everything but its value. */
export type SecretRecord = Static<typeof SecretRecord>;

export const TokenRecord = Type.Object(
  {
    token_id: Type.String(),
    sub: Type.String(),
    tenant: Type.String(),
    /** Of a user's token those it may have; it has the ones its user has, too. */
    roles: Type.Array(Type.String()),
    /** Whose it is, where it belongs to a user; `sub` is the user's name then. */
    user_id: Type.Optional(Type.String()),
    created_at_ms: TimeMs,
    expires_at_ms: Type.Union([TimeMs, Type.Null()]),
    revoked_at_ms: Type.Union([TimeMs, Type.Null()]),
  },
  closed,
);
/** A local API token as it may be shown: everything but its hash. */
export type TokenRecord = Static<typeof TokenRecord>;
