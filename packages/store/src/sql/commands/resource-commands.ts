import { nameTaken, namespaceFull } from "../../resource-refusals.ts";
import { Refusal } from "../refusal.ts";
import type { Statements } from "../statements.ts";
import type { CommandSteps } from "./commands.ts";
import { get, run } from "./steps.ts";

type ResourceCommands = Pick<CommandSteps, "resourceCreate" | "resourceReplace" | "resourceDelete">;

/** The writes over named things that are only text to the store. */
export function resourceCommands(sql: Statements): ResourceCommands {
  return {
    *resourceCreate(kind, tenant, namespace, name, doc, max) {
      const key = { kind, tenant, namespace, name };
      if ((yield* get(sql.resources.get, key)) !== undefined) {
        throw new Refusal("CS_CONFLICT", nameTaken(kind, { namespace, name }));
      }
      const count = (yield* get(sql.resources.count, { kind, tenant, namespace }))?.count ?? 0;
      if (count >= max) throw new Refusal("CS_CONFLICT", namespaceFull(kind, namespace, count));
      if ((yield* run(sql.resources.create, { ...key, doc })) === 0) {
        throw new Refusal("CS_CONFLICT", nameTaken(kind, { namespace, name }));
      }
    },

    *resourceReplace(kind, tenant, namespace, name, generation, doc, lease, epoch) {
      if (lease !== null && (yield* get(sql.leases.get, { name: lease }))?.epoch !== epoch) return false;
      const row = { kind, tenant, namespace, name, generation, doc };
      return (yield* run(sql.resources.replace, row)) > 0;
    },

    *resourceDelete(kind, tenant, namespace, name, generation) {
      return (yield* run(sql.resources.remove, { kind, tenant, namespace, name, generation })) > 0;
    },
  };
}
