import type { AliasRecord, DraftRecord, FunctionRecord, VersionRecord } from "@sous/contract";
import { checkLimit, decodeCursor, pageOf } from "../../cursor.ts";
import type { AliasTable, DraftTable } from "../schema.ts";
import type { AliasStore, DraftStore, FunctionStore, VersionDraft, VersionStore } from "../../store.ts";
import type { Access } from "./access.ts";
import { parseStored } from "../../stored.ts";

/** Functions in an SQL database. */
export function createFunctionStore({ reader, writer, statements }: Access): FunctionStore {
  const sql = statements.functions;
  return {
    async create(record) {
      const doc = JSON.stringify({ ...record, deleted_at_ms: null });
      await writer.write("functionCreate", record.tenant, record.namespace, record.name, doc);
    },
    async get({ tenant, namespace, name }) {
      const row = await reader.get(sql.get, { tenant, namespace, name });
      return row && functionOf(row);
    },
    async list({ tenant, namespace, includeDeleted }, page) {
      checkLimit(page);
      const [after] = decodeCursor(page, [""]);
      const scope = { tenant, namespace, includeDeleted: includeDeleted ? 1 : 0 };
      const rows = await reader.all(sql.list, { ...scope, after, limit: page.limit + 1 });
      return pageOf(rows, page.limit, functionOf, (row) => [row.name]);
    },
    async softDelete({ tenant, namespace, name }, deletedAtMs) {
      await writer.write("functionSoftDelete", tenant, namespace, name, deletedAtMs);
    },
  };
}

/** The column decides whether a function is deleted; the document has the rest. */
const functionOf = (row: { doc: string; deleted_at_ms: number | null }): FunctionRecord => ({
  ...parseStored<FunctionRecord>(row.doc),
  deleted_at_ms: row.deleted_at_ms,
});

/** Drafts in an SQL database. */
export function createDraftStore({ reader, writer, statements }: Access): DraftStore {
  const sql = statements.versions;
  return {
    async put({ tenant, namespace, name }, draft, bundle) {
      const {
        draft_id: id,
        sha256,
        size_bytes: size,
        created_at_ms: created,
        expires_at_ms: expires,
      } = draft;
      // A copy of its own, which then moves to the write thread: the caller's may be a view of something larger.
      const bytes = new Uint8Array(bundle);
      await writer.write("draftPut", tenant, namespace, name, id, sha256, size, created, expires, bytes);
    },
    async get({ tenant, namespace, name }, draftId) {
      const row = await reader.get(sql.getDraft, { tenant, namespace, name, draftId });
      const bundle = row && (await reader.get(sql.anyBundle, { sha256: row.sha256 }));
      return bundle && { draft: draftOf(row), bundle: bundle.bytes };
    },
  };
}

function draftOf(row: Omit<DraftTable, "tenant" | "namespace" | "name">): DraftRecord {
  return {
    draft_id: row.draft_id,
    sha256: row.sha256,
    size_bytes: row.size_bytes,
    created_at_ms: row.created_at_ms,
    expires_at_ms: row.expires_at_ms,
    consumed: row.consumed === 1,
  };
}

/** Versions and published bundles in an SQL database. */
export function createVersionStore({ reader, writer, statements }: Access): VersionStore {
  const sql = statements.versions;
  return {
    async publish({ key: { tenant, namespace, name }, draftId, version, alias = null, nowMs }) {
      const doc = JSON.stringify(version);
      const scope = [tenant, namespace, name] as const;
      const { sha256 } = version;
      const number = await writer.write("versionPublish", ...scope, draftId, sha256, doc, alias, nowMs);
      return { ...version, version: number };
    },
    async get({ tenant, namespace, name }, version) {
      const row = await reader.get(sql.getVersion, { tenant, namespace, name, version });
      return row && versionOf(row);
    },
    async latest({ tenant, namespace, name }) {
      const all = { before: Number.MAX_SAFE_INTEGER, limit: 1 };
      const [row] = await reader.all(sql.listVersions, { tenant, namespace, name, ...all });
      return row && versionOf(row);
    },
    async list({ tenant, namespace, name }, page) {
      checkLimit(page);
      const [before] = decodeCursor(page, [Number.MAX_SAFE_INTEGER]);
      const below = { before, limit: page.limit + 1 };
      const rows = await reader.all(sql.listVersions, { tenant, namespace, name, ...below });
      return pageOf(rows, page.limit, versionOf, (row) => [row.version]);
    },
    async bundle(sha256) {
      return (await reader.get(sql.publishedBundle, { sha256 }))?.bytes;
    },
    async mendBundle(sha256, bytes) {
      await writer.write("bundleMend", sha256, new Uint8Array(bytes));
    },
  };
}

const versionOf = (row: { version: number; doc: string }): VersionRecord => ({
  ...parseStored<VersionDraft>(row.doc),
  version: row.version,
});

/** Aliases in an SQL database. */
export function createAliasStore({ reader, writer, statements }: Access): AliasStore {
  const sql = statements.functions;
  return {
    async set({ tenant, namespace, name }, { alias, version, weights, updated_at_ms: updatedAtMs }) {
      const scope = [tenant, namespace, name] as const;
      const json = weights === undefined ? null : JSON.stringify(weights);
      await writer.write("aliasSet", ...scope, alias, version, json, updatedAtMs);
    },
    async get({ tenant, namespace, name }, alias) {
      const row = await reader.get(sql.getAlias, { tenant, namespace, name, alias });
      return row && aliasOf(row);
    },
    async list({ tenant, namespace, name }) {
      return (await reader.all(sql.listAliases, { tenant, namespace, name })).map(aliasOf);
    },
    async delete({ tenant, namespace, name }, alias) {
      await writer.write("aliasDelete", tenant, namespace, name, alias);
    },
  };
}

function aliasOf(row: Omit<AliasTable, "tenant" | "namespace" | "name">): AliasRecord {
  const record: AliasRecord = {
    alias: row.alias,
    version: row.version,
    updated_at_ms: row.updated_at_ms,
  };
  if (row.weights !== null) record.weights = parseStored<Record<string, number>>(row.weights);
  return record;
}
