import Type, { type Static } from "typebox";
import { AliasName } from "../names.ts";
import { AliasRecord, VersionRecord } from "../records.ts";
import { VersionConfigInput } from "../version-config.ts";
import { LIMITS } from "../limits.ts";
import { pageOf } from "./paging.ts";
import { PowersDiff } from "./powers.ts";

const closed = { additionalProperties: false } as const;

const Approve = Type.Optional(
  Type.Boolean({ description: "Lets an alias go to new powers, where the operator asks for it" }),
);
const TimeMs = Type.Integer({ minimum: 0 });

/** Files of a bundle by path, each in base64. */
export const Base64Files = Type.Record(
  Type.String({ minLength: 1, maxLength: LIMITS.bundlePathBytesMax }),
  Type.String({ description: "base64" }),
  { minProperties: 1, maxProperties: LIMITS.bundleFilesMax },
);
export type Base64Files = Static<typeof Base64Files>;

/** Body of `PUT …/draft`. */
export const PutDraftBody = Type.Object({ files: Base64Files }, closed);
export type PutDraftBody = Static<typeof PutDraftBody>;

/** Answer of `PUT …/draft`. */
export const DraftReply = Type.Object(
  { draft_id: Type.String(), sha256: Type.String(), size_bytes: TimeMs, expires_at_ms: TimeMs },
  closed,
);
export type DraftReply = Static<typeof DraftReply>;

/** Body of `POST …/versions`. */
export const PublishBody = Type.Object(
  {
    draft_id: Type.String({ minLength: 5, maxLength: 64, pattern: "^drf_[0-9A-Za-z]+$" }),
    config: Type.Optional(VersionConfigInput),
    alias: Type.Optional(AliasName),
    approve: Approve,
  },
  closed,
);
export type PublishBody = Static<typeof PublishBody>;

/** Answer of `POST …/versions`. */
export const PublishReply = Type.Object(
  {
    version: Type.Integer({ minimum: 1 }),
    sha256: Type.String(),
    published_at_ms: TimeMs,
    /** Against the version the alias pointed to, or the newest one before. */
    powers: PowersDiff,
    warnings: Type.Array(Type.String(), { description: "What will not work yet, a line each" }),
  },
  closed,
);
export type PublishReply = Static<typeof PublishReply>;

/** Answer of `GET …/versions`. */
export const VersionPage = pageOf(VersionRecord);
export type VersionPage = Static<typeof VersionPage>;

/** Answer of `GET …/versions/{n}/files`. */
export const VersionFilesReply = Type.Object({ sha256: Type.String(), files: Base64Files }, closed);
export type VersionFilesReply = Static<typeof VersionFilesReply>;

/** Body of `PUT …/aliases/{alias}`: the version, and for a canary the shares of others. */
export const SetAliasBody = Type.Object(
  {
    version: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }),
    weights: Type.Optional(
      Type.Record(Type.String({ pattern: "^[1-9][0-9]{0,9}$" }), Type.Number({ minimum: 0, maximum: 1 }), {
        maxProperties: 8,
        additionalProperties: false,
        description: "Share of calls by other version, 0–1; the rest goes to `version`",
      }),
    ),
    approve: Approve,
  },
  closed,
);
export type SetAliasBody = Static<typeof SetAliasBody>;

/** Answer of `GET …/aliases`. */
export const AliasesReply = Type.Object({ aliases: Type.Array(AliasRecord) }, closed);
export type AliasesReply = Static<typeof AliasesReply>;
