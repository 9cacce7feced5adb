import { type FunctionRef, LATEST_ALIAS, type RefTarget } from "@sous/contract";

/** @returns what a ref asks the catalog for; `undefined` for the newest version */
export function refTargetOf(ref: FunctionRef): RefTarget | undefined {
  if (ref.version !== undefined) return { version: ref.version };
  return ref.alias === undefined || ref.alias === LATEST_ALIAS ? undefined : { alias: ref.alias };
}
