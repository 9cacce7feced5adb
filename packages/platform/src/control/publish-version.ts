import { LATEST_ALIAS, PlatformError, type PublishBody, type PublishReply } from "@sous/contract";
import type { FunctionKey } from "@sous/store";
import { readBundle } from "../bundle/read-bundle.ts";
import type { Identity } from "../auth/identity.ts";
import { requireApproval, versionsBehind } from "./approve-powers.ts";
import { comparePowers } from "./compare-powers.ts";
import type { ControlContext } from "./control-context.ts";
import { findFunction } from "./find-function.ts";
import { mergeVersionConfig } from "./merge-version-config.ts";
import { secretWarnings } from "./settle-secrets.ts";

/** What a publish did. */
export interface Published {
  reply: PublishReply;
  /** Whether new powers were approved with it. */
  approved: boolean;
}

/**
 * Publishes a draft as the next version, and points an alias at it in the same transaction.
 * @param identity the caller, who may have to be allowed to approve
 * @throws CS_NOT_FOUND without function or draft, CS_CONFLICT for an expired or consumed draft,
 *   CS_VALIDATION_FAILED for a config the manifest does not grant, CS_APPROVAL_REQUIRED for an alias that would get
 *   new powers, CS_BUNDLES_UNAVAILABLE
 */
export async function publishVersion(
  { store, catalog, bundles, secrets, clock, durability, approve: policy }: ControlContext,
  key: FunctionKey,
  body: PublishBody,
  identity: Identity,
): Promise<Published> {
  if (body.alias !== undefined) refuseLatest(body.alias);
  await findFunction(store, key);
  const found = await store.drafts.get(key, body.draft_id);
  if (found === undefined) {
    throw new PlatformError("CS_NOT_FOUND", `function ${key.name} has no draft ${body.draft_id}; upload one`);
  }
  const { draft, bundle } = found;
  const nowMs = clock();
  if (draft.consumed || draft.expires_at_ms <= nowMs) {
    const why = draft.consumed ? "was published already" : "has expired";
    throw new PlatformError("CS_CONFLICT", `draft ${body.draft_id} ${why}; upload a new one`);
  }
  const { manifest } = readBundle(bundle, draft.sha256);
  const config = mergeVersionConfig(manifest, body.config ?? {}, key, durability);
  const { alias, approve } = body;
  const latest = alias === undefined ? await store.versions.latest(key) : undefined;
  const before =
    alias === undefined
      ? [latest].filter((one) => one !== undefined)
      : await versionsBehind(store, key, alias);
  const powers = comparePowers(config, before);
  const { tenant } = key;
  const approved =
    alias !== undefined && requireApproval(policy, { tenant, alias, powers, approve, identity });
  // It has to be where it lasts before a version says that it is.
  await bundles.publish(draft.sha256, bundle);
  const version = await store.versions.publish({
    key,
    draftId: body.draft_id,
    alias: body.alias,
    nowMs,
    version: {
      sha256: draft.sha256,
      size_bytes: draft.size_bytes,
      runtime: manifest.runtime,
      entry: manifest.entry,
      handler: manifest.handler,
      config,
      published_at_ms: nowMs,
      published_by: identity.principal.sub,
    },
  });
  catalog.invalidate(key);
  const { sha256, published_at_ms } = version;
  const warnings = await secretWarnings(config, (place) => secrets.has(place));
  return { reply: { version: version.version, sha256, published_at_ms, powers, warnings }, approved };
}

/** @throws CS_VALIDATION_FAILED for the alias nobody may write */
export function refuseLatest(alias: string): void {
  if (alias !== LATEST_ALIAS) return;
  throw new PlatformError(
    "CS_VALIDATION_FAILED",
    "the alias latest always means the newest version; choose another name",
  );
}
