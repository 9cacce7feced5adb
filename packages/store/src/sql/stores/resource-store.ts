import { checkLimit, decodeCursor, pageOf } from "../../cursor.ts";
import { checkKind, checkRecord, checkResource, checkScope } from "../../resource-rules.ts";
import type { FunctionKey, ResourceStore, StoredResource } from "../../store.ts";
import type { Access } from "./access.ts";

/** Named things that are only text to the store, in an SQL database. */
export function createResourceStore({ reader, writer, statements }: Access): ResourceStore {
  const sql = statements.resources;
  return {
    async create(kind, key, recordJson, max) {
      checkResource(kind, key);
      checkRecord(kind, key, recordJson);
      await writer.write("resourceCreate", kind, key.tenant, key.namespace, key.name, recordJson, max);
    },
    async get(kind, key) {
      checkResource(kind, key);
      const { tenant, namespace, name } = key;
      const row = await reader.get(sql.get, { kind, tenant, namespace, name });
      return row && storedOf(row);
    },
    async list(kind, scope, page) {
      checkScope(kind, scope);
      checkLimit(page);
      const { tenant, namespace } = scope;
      const [after] = decodeCursor(page, [""]);
      const rows = await reader.all(sql.list, { kind, tenant, namespace, after, limit: page.limit + 1 });
      return pageOf(rows, page.limit, storedOf, (row) => [row.name]);
    },
    async all(kind, page) {
      checkKind(kind);
      checkLimit(page);
      const [tenant, namespace, name] = decodeCursor(page, ["", "", ""]);
      const rows = await reader.all(sql.all, { kind, tenant, namespace, name, limit: page.limit + 1 });
      return pageOf(rows, page.limit, storedOf, (row) => [row.tenant, row.namespace, row.name]);
    },
    async replace(kind, key, generation, recordJson, fence) {
      checkResource(kind, key);
      checkRecord(kind, key, recordJson);
      const { tenant, namespace, name } = key;
      const held = [fence?.lease ?? null, fence?.epoch ?? 0] as const;
      const row = [kind, tenant, namespace, name, generation, recordJson] as const;
      return writer.write("resourceReplace", ...row, ...held);
    },
    async delete(kind, key, generation) {
      checkResource(kind, key);
      const { tenant, namespace, name } = key;
      return writer.write("resourceDelete", kind, tenant, namespace, name, generation ?? 0);
    },
  };
}

const storedOf = (row: FunctionKey & { generation: number; doc: string }): StoredResource => ({
  key: { tenant: row.tenant, namespace: row.namespace, name: row.name },
  generation: row.generation,
  record_json: row.doc,
});
