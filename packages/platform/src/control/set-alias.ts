import {
  type AliasRecord,
  isAliasName,
  PlatformError,
  type PowersDiff,
  type SetAliasBody,
} from "@sous/contract";
import type { FunctionKey } from "@sous/store";
import type { Identity } from "../auth/identity.ts";
import { requireApproval, versionsBehind } from "./approve-powers.ts";
import { comparePowers } from "./compare-powers.ts";
import type { ControlContext } from "./control-context.ts";
import { findFunction } from "./find-function.ts";
import { refuseLatest } from "./publish-version.ts";

/**
 * Points an alias at a version, with shares for others where a canary is wanted.
 * @throws CS_VALIDATION_NAME_INVALID, CS_VALIDATION_FAILED for `latest` or shares over 1,
 *   CS_NOT_FOUND for a missing function or version, CS_APPROVAL_REQUIRED where new powers need one
 */
export async function setAlias(
  { store, catalog, clock, approve: policy }: ControlContext,
  key: FunctionKey,
  alias: string,
  { version, weights, approve }: SetAliasBody,
  identity: Identity,
): Promise<{ record: AliasRecord; approved: PowersDiff | undefined }> {
  if (!isAliasName(alias)) {
    throw new PlatformError("CS_VALIDATION_NAME_INVALID", "an alias is 2–32 of a-z 0-9 _ -, a letter first");
  }
  refuseLatest(alias);
  await findFunction(store, key);
  if (weights !== undefined) await checkWeights(store, key, version, weights);
  const record: AliasRecord = { alias, version, updated_at_ms: clock() };
  if (weights !== undefined && Object.keys(weights).length > 0) record.weights = weights;
  const powers = policy === "never" ? undefined : await powersOfMove(store, key, record);
  const approved =
    powers !== undefined && requireApproval(policy, { tenant: key.tenant, alias, powers, approve, identity });
  await store.aliases.set(key, record);
  catalog.invalidate(key);
  return { record, approved: approved ? powers : undefined };
}

/** @returns what the versions that would get calls may do and those that get them now may not */
async function powersOfMove(
  store: ControlContext["store"],
  key: FunctionKey,
  { alias, version, weights = {} }: AliasRecord,
): Promise<PowersDiff> {
  const before = await versionsBehind(store, key, alias);
  const numbers = [version, ...Object.keys(weights).map(Number)];
  const after = await Promise.all(numbers.map((number) => store.versions.get(key, number)));
  const diffs = after.flatMap((found) => (found === undefined ? [] : [comparePowers(found.config, before)]));
  const added = new Map(diffs.flatMap((diff) => diff.added).map((power) => [power.what, power]));
  return {
    against: before[0]?.version ?? null,
    added: [...added.values()],
    removed: diffs[0]?.removed ?? [],
  };
}

async function checkWeights(
  store: ControlContext["store"],
  key: FunctionKey,
  version: number,
  weights: Record<string, number>,
): Promise<void> {
  const total = Object.values(weights).reduce((sum, share) => sum + share, 0);
  // Ten times 0.1 is a little more than 1.
  if (total > 1 + 1e-9) {
    throw new PlatformError("CS_VALIDATION_FAILED", "weights add up to more than 1");
  }
  for (const number of Object.keys(weights).map(Number)) {
    if (number === version) {
      throw new PlatformError(
        "CS_VALIDATION_FAILED",
        `weights must not name version ${version}; it gets the rest`,
      );
    }
    if ((await store.versions.get(key, number)) === undefined) {
      throw new PlatformError("CS_NOT_FOUND", `function ${key.name} has no version ${number}`);
    }
  }
}
