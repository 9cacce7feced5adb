import { type Kysely, sql, type SqlBool } from "kysely";
import type { Tables, TokenTable } from "./schema.ts";
import { statement } from "./statement.ts";

/** Statements over API tokens. */
export function tokenStatements(db: Kysely<Tables>) {
  return {
    create: statement<TokenTable>()((p) =>
      db
        .insertInto("tokens")
        .values({
          token_id: p.token_id,
          tenant: p.tenant,
          secret_sha256: p.secret_sha256,
          created_at_ms: p.created_at_ms,
          revoked_at_ms: p.revoked_at_ms,
          doc: p.doc,
        })
        .onConflict((conflict) => conflict.column("token_id").doNothing()),
    ),
    get: statement<{ tokenId: string }>()((p) =>
      db
        .selectFrom("tokens")
        .select(["secret_sha256", "revoked_at_ms", "doc"])
        .where("token_id", "=", p.tokenId),
    ),
    /** Newest first, below the pair of `beforeMs` and `beforeId`. */
    list: statement<{ tenant: string; beforeMs: number; beforeId: string; limit: number }>()((p) =>
      db
        .selectFrom("tokens")
        .select(["token_id", "created_at_ms", "revoked_at_ms", "doc"])
        .where("tenant", "=", p.tenant)
        .where(sql<SqlBool>`(created_at_ms, token_id) < (${p.beforeMs}, ${p.beforeId})`)
        .orderBy("created_at_ms", "desc")
        .orderBy("token_id", "desc")
        .limit(p.limit),
    ),
    /** The first revocation stays: a second one matches the row but keeps its time. */
    revoke: statement<{ tenant: string; tokenId: string; revokedAtMs: number }>()((p) =>
      db
        .updateTable("tokens")
        .set({ revoked_at_ms: sql<number>`coalesce(revoked_at_ms, ${p.revokedAtMs})` })
        .where("tenant", "=", p.tenant)
        .where("token_id", "=", p.tokenId),
    ),
  };
}
