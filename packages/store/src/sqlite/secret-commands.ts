import type { Statements } from "../sql/statements.ts";
import type { Commands } from "./commands.ts";
import type { Connection } from "./connection.ts";
import { Refusal } from "./refusal.ts";

/** The writes over sealed secrets. */
export function secretCommands(
  connection: Connection,
  sql: Statements,
): Pick<Commands, "secretPut" | "secretDelete"> {
  return {
    secretPut(tenant, namespace, name, keyId, sealed, nowMs, namespaceMax) {
      const scope = { tenant, namespace };
      const before = connection.get(sql.secrets.get, { ...scope, name });
      const count = connection.get(sql.secrets.count, scope)?.count ?? 0;
      if (before === undefined && count >= namespaceMax) {
        throw new Refusal(
          "CS_CONFLICT",
          `Namespace ${namespace} holds ${count} secrets, which is all it may; delete one first`,
        );
      }
      const times = { created_at_ms: nowMs, updated_at_ms: nowMs };
      connection.run(sql.secrets.put, { ...scope, name, key_id: keyId, sealed, ...times });
      return (before?.version ?? 0) + 1;
    },

    secretDelete(tenant, namespace, name) {
      if (connection.run(sql.secrets.remove, { tenant, namespace, name }) === 0) {
        throw new Refusal("CS_NOT_FOUND", `There is no secret ${namespace}/${name}`);
      }
    },
  };
}
