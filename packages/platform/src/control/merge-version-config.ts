import {
  LIMITS,
  type Manifest,
  PlatformError,
  type VersionConfig,
  type VersionConfigInput,
} from "@sous/contract";
import { mergeBudgets } from "./merge-budgets.ts";
import { type FunctionScope, settleSecrets } from "./settle-secrets.ts";
import { settleDestinations } from "./settle-destinations.ts";
import { narrowCapabilities } from "./narrow-capabilities.ts";

/**
 * Makes a version's config: the manifest and the defaults, overridden by what the caller sent. Limits move
 * freely, capabilities only narrow, role lists that are left out deny.
 * @throws CS_VALIDATION_FAILED naming the power that is wider than the manifest's, a secret of another tenant,
 *   or a back-off that starts above its bound
 */
export function mergeVersionConfig(
  manifest: Manifest,
  input: VersionConfigInput,
  scope: FunctionScope,
  durability: VersionConfig["durability"] = "relaxed",
): VersionConfig {
  const { authz = {} } = input;
  const retry = {
    max_attempts: LIMITS.asyncAttemptsMax,
    backoff_ms: LIMITS.asyncBackoffMs,
    backoff_max_ms: LIMITS.asyncBackoffMaxMs,
    max_age_ms: LIMITS.asyncMaxAgeMs,
    ...input.retry,
  };
  if (retry.backoff_ms > retry.backoff_max_ms) {
    throw new PlatformError("CS_VALIDATION_FAILED", "retry.backoff_ms is above retry.backoff_max_ms");
  }
  const memoryMb = input.memory_mb ?? manifest.limits.memoryMb;
  return {
    timeout_ms: input.timeout_ms ?? manifest.limits.timeoutMs,
    memory_mb: memoryMb,
    max_concurrency: input.max_concurrency ?? manifest.limits.maxConcurrency,
    env: input.env ?? {},
    capabilities: narrowCapabilities(manifest.capabilities, input.capabilities),
    authz: {
      ...authz,
      invoke_http_roles: authz.invoke_http_roles ?? [],
      invoke_schedule_roles: authz.invoke_schedule_roles ?? [],
      invoke_cadence_roles: authz.invoke_cadence_roles ?? [],
    },
    secrets: settleSecrets(input.secrets ?? [], scope),
    retry,
    isolation: input.isolation ?? manifest.isolation ?? "warm",
    durability: input.durability ?? durability,
    budgets: mergeBudgets(manifest.budgets, input.budgets, memoryMb),
    ...settleDestinations(input, scope),
  };
}
