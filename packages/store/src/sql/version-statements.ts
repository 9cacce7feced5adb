import { type Kysely, sql } from "kysely";
import type { FunctionKey } from "../store.ts";
import { ofFunction } from "./function-statements.ts";
import type { DraftTable, Tables } from "./schema.ts";
import { statement } from "./statement.ts";

const DRAFT_COLUMNS = [
  "draft_id",
  "sha256",
  "size_bytes",
  "created_at_ms",
  "expires_at_ms",
  "consumed",
] as const;

/** Statements over drafts, versions and the bundles both share. */
export function versionStatements(db: Kysely<Tables>) {
  return { ...draftStatements(db), ...bundleStatements(db), ...versionRowStatements(db) };
}

function draftStatements(db: Kysely<Tables>) {
  return {
    putDraft: statement<Omit<DraftTable, "consumed">>()((p) =>
      db
        .insertInto("drafts")
        .values({
          tenant: p.tenant,
          namespace: p.namespace,
          name: p.name,
          draft_id: p.draft_id,
          sha256: p.sha256,
          size_bytes: p.size_bytes,
          created_at_ms: p.created_at_ms,
          expires_at_ms: p.expires_at_ms,
          consumed: sql.lit(0),
        })
        .onConflict((conflict) => conflict.doNothing()),
    ),
    getDraft: statement<FunctionKey & { draftId: string }>()((p) =>
      db.selectFrom("drafts").select(DRAFT_COLUMNS).where(ofFunction(p)).where("draft_id", "=", p.draftId),
    ),
    consumeDraft: statement<FunctionKey & { draftId: string }>()((p) =>
      db
        .updateTable("drafts")
        .set({ consumed: sql.lit(1) })
        .where(ofFunction(p))
        .where("draft_id", "=", p.draftId),
    ),
    sweepDrafts: statement<{ nowMs: number; limit: number }>()((p) =>
      db
        .deleteFrom("drafts")
        .where(({ eb, refTuple, selectFrom }) =>
          eb(
            refTuple("tenant", "namespace", "name", "draft_id"),
            "in",
            selectFrom("drafts")
              .select(["tenant", "namespace", "name", "draft_id"])
              .where("expires_at_ms", "<=", p.nowMs)
              .limit(p.limit)
              .$asTuple("tenant", "namespace", "name", "draft_id"),
          ),
        ),
    ),
  };
}

function bundleStatements(db: Kysely<Tables>) {
  return {
    putBundle: statement<{ sha256: string; bytes: Uint8Array }>()((p) =>
      db
        .insertInto("bundles")
        .values({ sha256: p.sha256, published: sql.lit(0), bytes: p.bytes })
        .onConflict((conflict) => conflict.column("sha256").doNothing()),
    ),
    mendBundle: statement<{ sha256: string; bytes: Uint8Array }>()((p) =>
      db
        .insertInto("bundles")
        .values({ sha256: p.sha256, published: sql.lit(1), bytes: p.bytes })
        .onConflict((conflict) =>
          conflict.column("sha256").doUpdateSet(({ ref }) => ({
            bytes: ref("excluded.bytes"),
            published: sql.lit(1),
          })),
        ),
    ),
    publishBundle: statement<{ sha256: string }>()((p) =>
      db
        .updateTable("bundles")
        .set({ published: sql.lit(1) })
        .where("sha256", "=", p.sha256)
        .where("published", "=", sql.lit(0)),
    ),
    /** Bytes whether published or not: drafts read theirs here. */
    anyBundle: statement<{ sha256: string }>()((p) =>
      db.selectFrom("bundles").select("bytes").where("sha256", "=", p.sha256),
    ),
    publishedBundle: statement<{ sha256: string }>()((p) =>
      db
        .selectFrom("bundles")
        .select("bytes")
        .where("sha256", "=", p.sha256)
        .where("published", "=", sql.lit(1)),
    ),
    /** Bundles that no version and no draft names any more. */
    sweepBundles: statement<{ limit: number }>()((p) =>
      db.deleteFrom("bundles").where("sha256", "in", (eb) =>
        eb
          .selectFrom("bundles as orphan")
          .select("orphan.sha256")
          .where("orphan.published", "=", sql.lit(0))
          .where(({ not, exists, selectFrom }) =>
            not(
              exists(
                selectFrom("drafts")
                  .select("drafts.draft_id")
                  .whereRef("drafts.sha256", "=", "orphan.sha256"),
              ),
            ),
          )
          .limit(p.limit),
      ),
    ),
  };
}

function versionRowStatements(db: Kysely<Tables>) {
  return {
    insertVersion: statement<FunctionKey & { version: number; doc: string }>()((p) =>
      db.insertInto("versions").values({
        tenant: p.tenant,
        namespace: p.namespace,
        name: p.name,
        version: p.version,
        doc: p.doc,
      }),
    ),
    getVersion: statement<FunctionKey & { version: number }>()((p) =>
      db
        .selectFrom("versions")
        .select(["version", "doc"])
        .where(ofFunction(p))
        .where("version", "=", p.version),
    ),
    /** Newest first, below `before`. */
    listVersions: statement<FunctionKey & { before: number; limit: number }>()((p) =>
      db
        .selectFrom("versions")
        .select(["version", "doc"])
        .where(ofFunction(p))
        .where("version", "<", p.before)
        .orderBy("version", "desc")
        .limit(p.limit),
    ),
  };
}
