import type { Statements } from "../sql/statements.ts";
import type { FunctionKey } from "../store.ts";
import type { Commands } from "./commands.ts";
import type { Connection } from "./connection.ts";
import { Refusal } from "./refusal.ts";

type FunctionCommands = Pick<Commands, "functionCreate" | "functionSoftDelete" | "aliasSet" | "aliasDelete">;

/** The writes over functions and aliases. */
export function functionCommands(connection: Connection, sql: Statements): FunctionCommands {
  return {
    functionCreate(tenant, namespace, name, doc) {
      if (connection.run(sql.functions.create, { tenant, namespace, name, doc }) === 0) {
        throw new Refusal("CS_CONFLICT", `Function ${namespace}/${name} exists; choose another name`);
      }
    },

    functionSoftDelete(tenant, namespace, name, deletedAtMs) {
      if (connection.run(sql.functions.softDelete, { tenant, namespace, name, deletedAtMs }) === 0) {
        throw new Refusal("CS_NOT_FOUND", `There is no function ${namespace}/${name}`);
      }
    },

    aliasSet(tenant, namespace, name, alias, version, weights, updatedAtMs) {
      const key = { tenant, namespace, name };
      activeSequence(connection, sql, key);
      if (connection.get(sql.versions.getVersion, { ...key, version }) === undefined) {
        throw new Refusal("CS_NOT_FOUND", `Function ${namespace}/${name} has no version ${version}`);
      }
      connection.run(sql.functions.setAlias, { ...key, alias, version, weights, updatedAtMs });
    },

    aliasDelete(tenant, namespace, name, alias) {
      if (connection.run(sql.functions.deleteAlias, { tenant, namespace, name, alias }) === 0) {
        throw new Refusal("CS_NOT_FOUND", `Function ${namespace}/${name} has no alias ${alias}`);
      }
    },
  };
}

/** @returns the newest version number of an active function. @throws Refusal CS_NOT_FOUND */
export function activeSequence(connection: Connection, sql: Statements, key: FunctionKey): number {
  const row = connection.get(sql.functions.activeSequence, key);
  if (row === undefined)
    throw new Refusal("CS_NOT_FOUND", `There is no function ${key.namespace}/${key.name}`);
  return row.version_seq;
}
