import type { Budgets, ManifestBudgets } from "./budgets.ts";
import { LIMITS } from "./limits.ts";

/** The budget each field of a manifest sets. */
export const BUDGET_OF_FIELD = {
  cpuMs: "cpu_ms",
  externalMemoryMb: "external_memory_mb",
  logBytes: "log_bytes",
  resultBytes: "result_bytes",
  hostCalls: "host_calls",
  egressBytes: "egress_bytes",
  timers: "timers",
  openFetches: "open_fetches",
} as const satisfies Record<keyof ManifestBudgets, keyof Budgets>;

/** Budgets of a version that says nothing, beside `external_memory_mb`, which is then all of its memory. */
const DEFAULTS = {
  cpu_ms: LIMITS.cpuDefaultMs,
  log_bytes: LIMITS.logBytesMax,
  result_bytes: LIMITS.resultAnswerBytesMax,
  host_calls: LIMITS.hostCallsMax,
  egress_bytes: LIMITS.egressBytesMax,
  timers: LIMITS.timersMax,
  open_fetches: LIMITS.openFetchesMax,
};

/**
 * @param memoryMb memory of the version, in MiB
 * @param given budgets that are set; the others get their defaults
 */
export function completeBudgets(memoryMb: number, given: Partial<Budgets> = {}): Budgets {
  return { ...DEFAULTS, external_memory_mb: memoryMb, ...given };
}

const known = new WeakMap<object, Budgets>();

/** @returns the budgets of a version, complete also where it was published before there were any */
export function budgetsOf(config: { memory_mb: number; budgets?: Budgets }): Budgets {
  if (config.budgets !== undefined) return config.budgets;
  let budgets = known.get(config);
  if (budgets === undefined) known.set(config, (budgets = completeBudgets(config.memory_mb)));
  return budgets;
}
