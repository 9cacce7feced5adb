import type { Statements } from "../sql/statements.ts";
import type { Commands } from "./commands.ts";
import type { Connection } from "./connection.ts";
import { activeSequence } from "./function-commands.ts";
import { Refusal } from "./refusal.ts";

type VersionCommands = Pick<Commands, "draftPut" | "versionPublish" | "sweepDrafts">;

/** The writes over drafts and versions. */
export function versionCommands(connection: Connection, sql: Statements): VersionCommands {
  return {
    draftPut(tenant, namespace, name, draftId, sha256, sizeBytes, createdAtMs, expiresAtMs, bytes) {
      activeSequence(connection, sql, { tenant, namespace, name });
      const added = connection.run(sql.versions.putDraft, {
        tenant,
        namespace,
        name,
        draft_id: draftId,
        sha256,
        size_bytes: sizeBytes,
        created_at_ms: createdAtMs,
        expires_at_ms: expiresAtMs,
      });
      if (added === 0) throw new Refusal("CS_CONFLICT", `Draft ${draftId} exists; use a new id`);
      connection.run(sql.versions.putBundle, { sha256, bytes });
    },

    versionPublish(tenant, namespace, name, draftId, sha256, doc, alias, nowMs) {
      const key = { tenant, namespace, name };
      const version = activeSequence(connection, sql, key) + 1;
      const draft = connection.get(sql.versions.getDraft, { ...key, draftId });
      if (draft === undefined) {
        throw new Refusal("CS_NOT_FOUND", `There is no draft ${draftId}; upload it again`);
      }
      if (draft.consumed === 1) {
        throw new Refusal("CS_CONFLICT", `Draft ${draftId} was published before; upload a new one`);
      }
      if (draft.expires_at_ms <= nowMs) {
        throw new Refusal("CS_CONFLICT", `Draft ${draftId} has expired; upload it again`);
      }
      if (draft.sha256 !== sha256) {
        throw new Refusal("CS_VALIDATION_FAILED", `The version's sha256 is not that of draft ${draftId}`);
      }
      connection.run(sql.functions.setSequence, { ...key, version });
      connection.run(sql.versions.insertVersion, { ...key, version, doc });
      connection.run(sql.versions.publishBundle, { sha256 });
      connection.run(sql.versions.consumeDraft, { ...key, draftId });
      if (alias !== null) {
        const target = { alias, version, weights: null, updatedAtMs: nowMs };
        connection.run(sql.functions.setAlias, { ...key, ...target });
      }
      return version;
    },

    sweepDrafts(nowMs, limit) {
      const drafts = connection.run(sql.versions.sweepDrafts, { nowMs, limit });
      return drafts + connection.run(sql.versions.sweepBundles, { limit });
    },
  };
}
