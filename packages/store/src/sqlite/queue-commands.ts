import type { Statements } from "../sql/statements.ts";
import type { Commands } from "./commands.ts";
import type { Connection } from "./connection.ts";
import { Refusal } from "./refusal.ts";

type QueueCommands = Pick<
  Commands,
  "journalAppend" | "journalUpdate" | "journalRemove" | "tokenCreate" | "tokenRevoke" | "probe"
>;

/** The writes over the queue's journal and tokens, and the probe. */
export function queueCommands(connection: Connection, sql: Statements): QueueCommands {
  return {
    journalAppend(...fields) {
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
      if (connection.run(sql.journal.append, row) > 0) return;
      // The id was left behind by a dead letter: the newer message takes its place, at the end of the order.
      connection.run(sql.journal.remove, { id });
      connection.run(sql.journal.append, row);
    },

    journalUpdate(id, attempt, dueAtMs, expiresAtMs, dead, deadReason) {
      const due = { due_at_ms: dueAtMs, expires_at_ms: expiresAtMs };
      connection.run(sql.journal.update, { id, attempt, ...due, dead, dead_reason: deadReason });
    },

    journalRemove(id) {
      connection.run(sql.journal.remove, { id });
    },

    tokenCreate(tokenId, tenant, secretSha256, createdAtMs, revokedAtMs, doc) {
      const times = { created_at_ms: createdAtMs, revoked_at_ms: revokedAtMs };
      const row = { token_id: tokenId, tenant, secret_sha256: secretSha256, ...times, doc };
      if (connection.run(sql.tokens.create, row) === 0) {
        throw new Refusal("CS_CONFLICT", `Token ${tokenId} exists; use a new id`);
      }
    },

    tokenRevoke(tenant, tokenId, revokedAtMs) {
      if (connection.run(sql.tokens.revoke, { tenant, tokenId, revokedAtMs }) === 0) {
        throw new Refusal("CS_NOT_FOUND", `There is no token ${tokenId}`);
      }
    },

    probe(atMs) {
      connection.run(sql.probe.write, { atMs });
    },
  };
}
