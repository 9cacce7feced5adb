import type { FunctionReply } from "@sous/contract";
import type { FunctionKey } from "@sous/store";
import type { ControlContext } from "./control-context.ts";
import { findFunction } from "./find-function.ts";

/**
 * Reads a function with its aliases and the number of its newest version.
 * @throws CS_NOT_FOUND
 */
export async function describeFunction(
  { store }: ControlContext,
  key: FunctionKey,
  includeDeleted: boolean,
): Promise<FunctionReply> {
  const [record, aliases, latest] = await Promise.all([
    findFunction(store, key, includeDeleted),
    store.aliases.list(key),
    store.versions.latest(key),
  ]);
  return { function: record, aliases, latest_version: latest?.version ?? null };
}
