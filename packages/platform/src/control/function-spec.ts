import { type FunctionRecord, type FunctionSpec, LIMITS } from "@sous/contract";
import type { ControlContext } from "./control-context.ts";

/** @returns a function as the short forms show it: nanofaas's fields with what its newest version says */
export async function functionSpec(
  { store }: Pick<ControlContext, "store">,
  record: FunctionRecord,
): Promise<FunctionSpec> {
  const config = (await store.versions.latest(record))?.config;
  return {
    name: record.name,
    image: record.runtime,
    env: config?.env ?? {},
    timeoutMs: config?.timeout_ms ?? LIMITS.workerTimeoutDefaultMs,
    concurrency: config?.max_concurrency ?? LIMITS.maxConcurrencyDefault,
    maxRetries: config?.retry.max_attempts ?? LIMITS.asyncAttemptsMax,
    executionMode: "LOCAL",
  };
}
