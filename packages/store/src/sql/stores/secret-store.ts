import { PlatformError } from "@sous/contract";
import { checkLimit, decodeCursor, pageOf } from "../../cursor.ts";
import type { SecretStore } from "../../store.ts";
import type { Access } from "./access.ts";

/** Sealed secrets in an SQL database. */
export function createSecretStore(
  { reader, writer, statements }: Access,
  bounds: { perNamespaceMax: number },
): SecretStore {
  const sql = statements.secrets;
  return {
    async put({ tenant, namespace }, { name, sealed, key_id }, nowMs) {
      const { perNamespaceMax } = bounds;
      const version = await writer.write(
        "secretPut",
        tenant,
        namespace,
        name,
        key_id,
        sealed,
        nowMs,
        perNamespaceMax,
      );
      const row = await reader.get(sql.get, { tenant, namespace, name });
      if (row === undefined) {
        throw new PlatformError("CS_CONFLICT", `secret ${name} was deleted while it was set; set it again`);
      }
      const { created_at_ms } = row;
      return { name, version, key_id, created_at_ms, updated_at_ms: nowMs };
    },
    async get({ tenant, namespace }, name) {
      const row = await reader.get(sql.get, { tenant, namespace, name });
      if (row === undefined) return undefined;
      const { sealed, ...record } = row;
      return { record: { ...record }, sealed };
    },
    reseal({ tenant, namespace }, { name, sealed, key_id }, was) {
      return writer.write("secretReseal", tenant, namespace, name, key_id, sealed, was);
    },
    async scopes(after, limit) {
      checkLimit({ limit });
      const { tenant, namespace } = after ?? { tenant: "", namespace: "" };
      return [...(await reader.all(sql.scopes, { tenant, namespace, limit }))].map((row) => ({ ...row }));
    },
    async list({ tenant, namespace }, page) {
      checkLimit(page);
      const [after] = decodeCursor(page, [""]);
      const rows = await reader.all(sql.list, { tenant, namespace, after, limit: page.limit + 1 });
      return pageOf(
        rows,
        page.limit,
        (row) => ({ ...row }),
        (row) => [row.name],
      );
    },
    async delete({ tenant, namespace }, name) {
      await writer.write("secretDelete", tenant, namespace, name);
    },
  };
}
