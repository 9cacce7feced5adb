import { type PowersDiff, PlatformError } from "@sous/contract";
import type { FunctionKey } from "@sous/store";
import { authorize } from "../auth/authorize.ts";
import type { Identity } from "../auth/identity.ts";
import type { PowersOf } from "./compare-powers.ts";
import type { ControlContext } from "./control-context.ts";

/** @returns the versions an alias sends calls to, its own first; none where there is no such alias */
export async function versionsBehind(
  store: ControlContext["store"],
  key: FunctionKey,
  alias: string,
): Promise<PowersOf[]> {
  const record = await store.aliases.get(key, alias);
  if (record === undefined) return [];
  const shares = Object.entries(record.weights ?? {}).filter(([, share]) => share > 0);
  const numbers = [record.version, ...shares.map(([number]) => Number(number))];
  const versions = await Promise.all(numbers.map((number) => store.versions.get(key, number)));
  return versions.filter((version) => version !== undefined);
}

/** Where an alias is about to go, and who sends it there. */
export interface AliasMove {
  tenant: string;
  alias: string;
  powers: PowersDiff;
  /** What the caller said about it. */
  approve: boolean | undefined;
  identity: Identity;
}

/**
 * Lets an alias go to a version with new powers only when somebody who may has said so, where the operator asks for
 * it (`publish.approve`).
 * @returns whether powers were approved just now
 * @throws CS_APPROVAL_REQUIRED with the powers in its details, CS_AUTHZ_DENIED for an approval by somebody who may not
 */
export function requireApproval(policy: ControlContext["approve"], move: AliasMove): boolean {
  const { tenant, alias, powers, approve, identity } = move;
  if (policy === "never" || powers.added.length === 0) return false;
  if (approve !== true) {
    throw new PlatformError(
      "CS_APPROVAL_REQUIRED",
      `the alias ${alias} would get ${powers.added.length} new powers; approve them with \`approve: true\` (\`--approve\`)`,
      { details: { powers } },
    );
  }
  authorize(identity, "cs:function:approve", tenant);
  return true;
}
