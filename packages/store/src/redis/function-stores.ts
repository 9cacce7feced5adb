import type { AliasRecord, FunctionRecord } from "@sous/contract";
import { checkLimit, decodeCursor, pageOf } from "../cursor.ts";
import type { AliasStore, FunctionKey, FunctionStore } from "../store.ts";
import { parseStored } from "../stored.ts";
import { type Access, afterName } from "./access.ts";

/** @returns a function's name for messages */
export const titleOf = ({ namespace, name }: FunctionKey): string => `${namespace}/${name}`;

/** Functions in Redis. */
export function createFunctionStore({ reader, writer, keys }: Access): FunctionStore {
  return {
    async create(record) {
      const doc = JSON.stringify({ ...record, deleted_at_ms: null });
      await writer.write(
        "functionCreate",
        [keys.meta(record), keys.deleted(record), keys.functions(record), keys.activeFunctions(record)],
        [titleOf(record), record.name, doc],
      );
    },
    async get(key) {
      const [doc = null, deleted = null] = await reader.send<(string | null)[]>(
        "MGET",
        keys.meta(key),
        keys.deleted(key),
      );
      return doc === null ? undefined : functionOf(doc, deleted);
    },
    async list({ tenant, namespace, includeDeleted }, page) {
      checkLimit(page);
      const [after] = decodeCursor(page, [""]);
      const scope = { tenant, namespace };
      const index = includeDeleted ? keys.functions(scope) : keys.activeFunctions(scope);
      const range = [afterName(after), "+", "LIMIT", 0, page.limit + 1];
      const names = await reader.send<string[]>("ZRANGEBYLEX", index, range);
      const paths = names.map((name) => ({ ...scope, name }));
      const docs = await reader.texts(paths.flatMap((key) => [keys.meta(key), keys.deleted(key)]));
      return pageOf(
        names.map((name, at) => ({ name, doc: docs[2 * at], deleted: docs[2 * at + 1] ?? null })),
        page.limit,
        ({ doc, deleted }) => functionOf(doc ?? "", deleted),
        ({ name }) => [name],
      );
    },
    async softDelete(key, deletedAtMs) {
      await writer.write(
        "functionSoftDelete",
        [keys.meta(key), keys.deleted(key), keys.activeFunctions(key)],
        [titleOf(key), key.name, deletedAtMs],
      );
    },
  };
}

const functionOf = (doc: string, deleted: string | null): FunctionRecord => ({
  ...parseStored<FunctionRecord>(doc),
  deleted_at_ms: deleted === null ? null : Number(deleted),
});

/** Aliases in Redis. */
export function createAliasStore({ reader, writer, keys }: Access): AliasStore {
  return {
    async set(key, { alias, version, weights, updated_at_ms }) {
      const record: AliasRecord = { alias, version, updated_at_ms };
      if (weights !== undefined) record.weights = weights;
      await writer.write(
        "aliasSet",
        [
          keys.meta(key),
          keys.deleted(key),
          keys.version(key, version),
          keys.alias(key, alias),
          keys.aliases(key),
        ],
        [titleOf(key), alias, version, JSON.stringify(record)],
      );
    },
    async get(key, alias) {
      const doc = await reader.send<string | null>("GET", keys.alias(key, alias));
      return doc === null ? undefined : parseStored<AliasRecord>(doc);
    },
    async list(key) {
      const names = await reader.send<string[]>("ZRANGEBYLEX", keys.aliases(key), "-", "+");
      const docs = await reader.texts(names.map((alias) => keys.alias(key, alias)));
      return docs.filter((doc) => doc !== null).map((doc) => parseStored<AliasRecord>(doc));
    },
    async delete(key, alias) {
      await writer.write("aliasDelete", [keys.alias(key, alias), keys.aliases(key)], [titleOf(key), alias]);
    },
  };
}
