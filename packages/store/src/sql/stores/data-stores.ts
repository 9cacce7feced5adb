import { PlatformError, type TokenRecord } from "@sous/contract";
import { checkLimit, decodeCursor, pageOf } from "../../cursor.ts";
import type { JournalRow } from "../journal-statements.ts";
import type { JournalEntry, KvStore, QueueJournal, TokenStore } from "../../store.ts";
import type { Access } from "./access.ts";
import { parseStored } from "../../stored.ts";

/** Key-value data in an SQL database. */
export function createKvStore(
  { reader, writer, statements, now }: Access,
  quota: { namespaceBytesMax: number },
): KvStore {
  const sql = statements.kv;
  return {
    async get({ tenant, namespace }, key, nowMs) {
      return (await reader.get(sql.get, { tenant, namespace, key, nowMs }))?.json;
    },
    async set({ tenant, namespace }, key, json, expiresAtMs) {
      if (!key.isWellFormed()) {
        // Half a surrogate pair cannot be stored as UTF-8: two such keys would become one.
        throw new PlatformError("CS_VALIDATION_FAILED", "A key must be well-formed Unicode; encode it first");
      }
      const bytes = Buffer.byteLength(key) + Buffer.byteLength(json);
      const limits = [quota.namespaceBytesMax, now()] as const;
      await writer.write("kvSet", tenant, namespace, key, json, bytes, expiresAtMs, ...limits);
    },
    delete: ({ tenant, namespace }, key) => writer.write("kvDelete", tenant, namespace, key, now()),
    async list({ tenant, namespace }, prefix, nowMs, page) {
      checkLimit(page);
      const [after] = decodeCursor(page, [""]);
      const range = { prefix, end: endOfPrefix(prefix), after, nowMs, limit: page.limit + 1 };
      const rows = await reader.all(sql.list, { tenant, namespace, ...range });
      return pageOf(
        rows,
        page.limit,
        (row) => row.key,
        (row) => [row.key],
      );
    },
  };
}

const LAST_CODE_POINT = 0x10ffff;
const SURROGATES = { first: 0xd800, last: 0xdfff };

/**
 * The smallest text above every text with this prefix, in code point order (which is the order of UTF-8).
 * @returns `null` when there is none: the empty prefix, or nothing but U+10FFFF
 */
function endOfPrefix(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  while (points.at(-1) === LAST_CODE_POINT) points.pop();
  const last = points.pop();
  if (last === undefined) return null;
  const next = last + 1 === SURROGATES.first ? SURROGATES.last + 1 : last + 1;
  return String.fromCodePoint(...points, next);
}

/** API tokens in an SQL database. */
export function createTokenStore({ reader, writer, statements }: Access): TokenStore {
  const sql = statements.tokens;
  return {
    async create(record, secretSha256) {
      const { token_id: id, tenant, created_at_ms: created, revoked_at_ms: revoked } = record;
      await writer.write("tokenCreate", id, tenant, secretSha256, created, revoked, JSON.stringify(record));
    },
    async get(tokenId) {
      const row = await reader.get(sql.get, { tokenId });
      return row && { record: tokenOf(row), secretSha256: row.secret_sha256 };
    },
    async list(tenant, page) {
      checkLimit(page);
      const [beforeMs, beforeId] = decodeCursor(page, [Number.MAX_SAFE_INTEGER, ""]);
      const rows = await reader.all(sql.list, { tenant, beforeMs, beforeId, limit: page.limit + 1 });
      return pageOf(rows, page.limit, tokenOf, (row) => [row.created_at_ms, row.token_id]);
    },
    async revoke(tenant, tokenId, revokedAtMs) {
      await writer.write("tokenRevoke", tenant, tokenId, revokedAtMs);
    },
  };
}

const tokenOf = (row: { doc: string; revoked_at_ms: number | null }): TokenRecord => ({
  ...parseStored<TokenRecord>(row.doc),
  revoked_at_ms: row.revoked_at_ms,
});

/** The embedded queue's journal in an SQL database. */
export function createQueueJournal({ reader, writer, statements }: Access): QueueJournal {
  return {
    append: (entry) =>
      writer.write(
        "journalAppend",
        entry.id,
        entry.topic,
        entry.tenant,
        entry.lane,
        entry.body_json,
        entry.attempt,
        entry.enqueued_at_ms,
        entry.due_at_ms,
        entry.expires_at_ms,
        entry.dead ? 1 : 0,
        entry.dead_reason,
      ),
    update: (entry) =>
      writer.write(
        "journalUpdate",
        entry.id,
        entry.attempt,
        entry.due_at_ms,
        entry.expires_at_ms,
        entry.dead ? 1 : 0,
        entry.dead_reason,
      ),
    remove: (id) => writer.write("journalRemove", id),
    async load() {
      return (await reader.all(statements.journal.load, {})).map(entryOf);
    },
  };
}

function entryOf(row: JournalRow): JournalEntry {
  return { ...row, dead: row.dead === 1 };
}
