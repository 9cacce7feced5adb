import type { Statements } from "../statements.ts";
import type { CommandSteps } from "./commands.ts";
import { Refusal } from "../refusal.ts";
import { run, send } from "./steps.ts";

type QueueCommands = Pick<
  CommandSteps,
  "journalAppend" | "journalUpdate" | "journalRemove" | "tokenCreate" | "tokenRevoke" | "probe"
>;

/** The writes over the queue's journal and tokens, and the probe. */
export function queueCommands(sql: Statements): QueueCommands {
  return {
    *journalAppend(...fields) {
      const [id, topic, tenant, lane, bodyJson, attempt, enqueuedAtMs, dueAtMs, expiresAtMs, dead, reason] =
        fields;
      const row = {
        id,
        topic,
        tenant,
        lane,
        body_json: bodyJson,
        attempt,
        enqueued_at_ms: enqueuedAtMs,
        due_at_ms: dueAtMs,
        expires_at_ms: expiresAtMs,
        dead,
        dead_reason: reason,
      };
      yield* send(sql.journal.append, row);
    },

    *journalUpdate(id, attempt, dueAtMs, expiresAtMs, dead, deadReason) {
      const due = { due_at_ms: dueAtMs, expires_at_ms: expiresAtMs };
      yield* send(sql.journal.update, { id, attempt, ...due, dead, dead_reason: deadReason });
    },

    *journalRemove(id) {
      yield* send(sql.journal.remove, { id });
    },

    *tokenCreate(tokenId, tenant, secretSha256, createdAtMs, revokedAtMs, doc) {
      const times = { created_at_ms: createdAtMs, revoked_at_ms: revokedAtMs };
      const row = { token_id: tokenId, tenant, secret_sha256: secretSha256, ...times, doc };
      if ((yield* run(sql.tokens.create, row)) === 0) {
        throw new Refusal("CS_CONFLICT", `Token ${tokenId} exists; use a new id`);
      }
    },

    *tokenRevoke(tenant, tokenId, revokedAtMs) {
      if ((yield* run(sql.tokens.revoke, { tenant, tokenId, revokedAtMs })) === 0) {
        throw new Refusal("CS_NOT_FOUND", `There is no token ${tokenId}`);
      }
    },

    *probe(atMs) {
      yield* send(sql.probe.write, { atMs });
    },
  };
}
