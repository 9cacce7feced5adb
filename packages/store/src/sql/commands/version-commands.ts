import type { Statements } from "../statements.ts";
import type { CommandSteps } from "./commands.ts";
import { activeSequence } from "./function-commands.ts";
import { Refusal } from "../refusal.ts";
import { get, run, send } from "./steps.ts";

type VersionCommands = Pick<CommandSteps, "draftPut" | "versionPublish" | "bundleMend" | "sweepDrafts">;

/** The writes over drafts and versions. */
export function versionCommands(sql: Statements): VersionCommands {
  return {
    *draftPut(tenant, namespace, name, draftId, sha256, sizeBytes, createdAtMs, expiresAtMs, bytes) {
      yield* activeSequence(sql, { tenant, namespace, name });
      const added = yield* run(sql.versions.putDraft, {
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
      yield* send(sql.versions.putBundle, { sha256, bytes });
    },

    *versionPublish(tenant, namespace, name, draftId, sha256, doc, alias, nowMs) {
      const key = { tenant, namespace, name };
      const version = (yield* activeSequence(sql, key)) + 1;
      const draft = yield* get(sql.versions.getDraft, { ...key, draftId });
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
      yield* send(sql.functions.setSequence, { ...key, version });
      yield* send(sql.versions.insertVersion, { ...key, version, doc });
      yield* send(sql.versions.publishBundle, { sha256 });
      yield* send(sql.versions.consumeDraft, { ...key, draftId });
      if (alias !== null) {
        const target = { alias, version, weights: null, updatedAtMs: nowMs };
        yield* send(sql.functions.setAlias, { ...key, ...target });
      }
      return version;
    },

    *bundleMend(sha256, bytes) {
      yield* send(sql.versions.mendBundle, { sha256, bytes });
    },

    *sweepDrafts(nowMs, limit) {
      const drafts = yield* run(sql.versions.sweepDrafts, { nowMs, limit });
      return drafts + (yield* run(sql.versions.sweepBundles, { limit }));
    },
  };
}
