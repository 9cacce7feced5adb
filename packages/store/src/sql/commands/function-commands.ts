import type { Statements } from "../statements.ts";
import type { FunctionKey } from "../../store.ts";
import type { CommandSteps } from "./commands.ts";
import { Refusal } from "../refusal.ts";
import { get, run, send, type Steps } from "./steps.ts";

type FunctionCommands = Pick<
  CommandSteps,
  "functionCreate" | "functionSoftDelete" | "aliasSet" | "aliasDelete"
>;

/** The writes over functions and aliases. */
export function functionCommands(sql: Statements): FunctionCommands {
  return {
    *functionCreate(tenant, namespace, name, doc) {
      if ((yield* run(sql.functions.create, { tenant, namespace, name, doc })) === 0) {
        throw new Refusal("CS_CONFLICT", `Function ${namespace}/${name} exists; choose another name`);
      }
    },

    *functionSoftDelete(tenant, namespace, name, deletedAtMs) {
      if ((yield* run(sql.functions.softDelete, { tenant, namespace, name, deletedAtMs })) === 0) {
        throw new Refusal("CS_NOT_FOUND", `There is no function ${namespace}/${name}`);
      }
    },

    *aliasSet(tenant, namespace, name, alias, version, weights, updatedAtMs) {
      const key = { tenant, namespace, name };
      yield* activeSequence(sql, key);
      if ((yield* get(sql.versions.getVersion, { ...key, version })) === undefined) {
        throw new Refusal("CS_NOT_FOUND", `Function ${namespace}/${name} has no version ${version}`);
      }
      yield* send(sql.functions.setAlias, { ...key, alias, version, weights, updatedAtMs });
    },

    *aliasDelete(tenant, namespace, name, alias) {
      if ((yield* run(sql.functions.deleteAlias, { tenant, namespace, name, alias })) === 0) {
        throw new Refusal("CS_NOT_FOUND", `Function ${namespace}/${name} has no alias ${alias}`);
      }
    },
  };
}

/** @returns the newest version number of an active function. @throws Refusal CS_NOT_FOUND */
export function* activeSequence(sql: Statements, key: FunctionKey): Steps<number> {
  const row = yield* get(sql.functions.activeSequence, key);
  if (row === undefined)
    throw new Refusal("CS_NOT_FOUND", `There is no function ${key.namespace}/${key.name}`);
  return row.version_seq;
}
