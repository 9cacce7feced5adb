import {
  BUDGET_OF_FIELD,
  type Budgets,
  completeBudgets,
  type ManifestBudgets,
  PlatformError,
} from "@sous/contract";

/** Budgets over what a function does to others: what its manifest promises a config may lower, not raise. */
const NARROW_ONLY = ["host_calls", "egress_bytes", "open_fetches"] as const;

/**
 * Works out the budgets of a version: the manifest's, overridden by what the publisher sent, the defaults for
 * the rest. Those of the function's own work move freely, as limits do; those of its reach to the outside
 * only narrow where the manifest sets them.
 * @param memoryMb memory of the version, in MiB
 * @throws CS_VALIDATION_FAILED naming the budget that is wider than the manifest's, or larger than the memory
 */
export function mergeBudgets(
  declared: ManifestBudgets = {},
  wanted: Partial<Budgets> = {},
  memoryMb: number,
): Budgets {
  const promised: Partial<Budgets> = {};
  for (const [field, budget] of Object.entries(BUDGET_OF_FIELD)) {
    const value = declared[field as keyof ManifestBudgets];
    if (value !== undefined) promised[budget] = value;
  }
  for (const budget of NARROW_ONLY) {
    const most = promised[budget];
    if (most === undefined || (wanted[budget] ?? 0) <= most) continue;
    throw new PlatformError(
      "CS_VALIDATION_FAILED",
      `budgets.${budget}: the manifest grants ${most}; a config may only narrow it`,
      { details: { budget, limit: most } },
    );
  }
  const budgets = completeBudgets(memoryMb, { ...promised, ...wanted });
  if (budgets.external_memory_mb > memoryMb) {
    throw new PlatformError(
      "CS_VALIDATION_FAILED",
      `budgets.external_memory_mb is ${budgets.external_memory_mb}, more than all memory (${memoryMb} MiB)`,
    );
  }
  return budgets;
}
