import type { CreateFunctionBody, FunctionRecord } from "@sous/contract";
import type { ControlContext } from "./control-context.ts";

/**
 * Creates a function, or revives a deleted one of that name.
 * @throws CS_CONFLICT when it exists
 */
export async function createFunction(
  { store, catalog, clock }: ControlContext,
  scope: { tenant: string; namespace: string },
  body: CreateFunctionBody,
): Promise<FunctionRecord> {
  const record: FunctionRecord = {
    ...scope,
    name: body.name,
    runtime: body.runtime ?? "cs-js",
    entry: body.entry ?? "function.js",
    handler: body.handler ?? "default",
    created_at_ms: clock(),
    deleted_at_ms: null,
  };
  await store.functions.create(record);
  catalog.invalidate(record);
  return record;
}
