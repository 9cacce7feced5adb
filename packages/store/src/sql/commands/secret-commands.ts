import type { Statements } from "../statements.ts";
import type { CommandSteps } from "./commands.ts";
import { Refusal } from "../refusal.ts";
import { get, run, send } from "./steps.ts";

type SecretCommands = Pick<CommandSteps, "secretPut" | "secretReseal" | "secretDelete">;

/** The writes over sealed secrets. */
export function secretCommands(sql: Statements): SecretCommands {
  return {
    *secretPut(tenant, namespace, name, keyId, sealed, nowMs, namespaceMax) {
      const scope = { tenant, namespace };
      const before = yield* get(sql.secrets.get, { ...scope, name });
      const count = (yield* get(sql.secrets.count, scope))?.count ?? 0;
      if (before === undefined && count >= namespaceMax) {
        throw new Refusal(
          "CS_CONFLICT",
          `Namespace ${namespace} holds ${count} secrets, which is all it may; delete one first`,
        );
      }
      const times = { created_at_ms: nowMs, updated_at_ms: nowMs };
      yield* send(sql.secrets.put, { ...scope, name, key_id: keyId, sealed, ...times });
      return (before?.version ?? 0) + 1;
    },

    *secretReseal(tenant, namespace, name, key_id, sealed, was) {
      return (yield* run(sql.secrets.reseal, { tenant, namespace, name, key_id, sealed, was })) > 0;
    },

    *secretDelete(tenant, namespace, name) {
      if ((yield* run(sql.secrets.remove, { tenant, namespace, name })) === 0) {
        throw new Refusal("CS_NOT_FOUND", `There is no secret ${namespace}/${name}`);
      }
    },
  };
}
