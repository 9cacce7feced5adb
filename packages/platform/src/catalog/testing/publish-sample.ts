import { createHash } from "node:crypto";
import { newDraftId, type VersionConfig, type VersionRecord } from "@sous/contract";
import type { FunctionKey, Store } from "@sous/store";

const CONFIG: VersionConfig = {
  timeout_ms: 3000,
  memory_mb: 64,
  max_concurrency: 10,
  env: {},
  capabilities: {
    kv: { prefixes: [], ops: [] },
    codeq: { publish_topics: [] },
    http: { allow_hosts: [], timeout_ms: 5000 },
  },
  authz: { invoke_http_roles: ["admin"], invoke_schedule_roles: [], invoke_cadence_roles: [] },
  secrets: [],
  retry: { max_attempts: 3, backoff_ms: 1000, backoff_max_ms: 60_000, max_age_ms: 21_600_000 },
  isolation: "warm",
  durability: "relaxed",
};

/** Publishes one more version of a function straight into a store, creating the function where it is missing. */
export async function publishSample(
  store: Store,
  key: FunctionKey,
  nowMs: number,
  config: Partial<VersionConfig> = {},
): Promise<VersionRecord> {
  if ((await store.functions.get(key)) === undefined) {
    await store.functions.create({
      ...key,
      runtime: "cs-js",
      entry: "function.js",
      handler: "default",
      created_at_ms: nowMs,
      deleted_at_ms: null,
    });
  }
  const draftId = newDraftId();
  const bundle = Buffer.from(draftId);
  const sha256 = createHash("sha256").update(bundle).digest("hex");
  const draft = {
    draft_id: draftId,
    sha256,
    size_bytes: bundle.length,
    created_at_ms: nowMs,
    expires_at_ms: nowMs + 60_000,
    consumed: false,
  };
  await store.drafts.put(key, draft, bundle);
  return store.versions.publish({
    key,
    draftId,
    nowMs,
    version: {
      sha256,
      size_bytes: bundle.length,
      runtime: "cs-js",
      entry: "function.js",
      handler: "default",
      config: { ...CONFIG, ...config },
      published_at_ms: nowMs,
      published_by: "tester",
    },
  });
}
