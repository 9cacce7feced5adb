import { createHash } from "node:crypto";
import {
  type ActivationRecord,
  type DraftRecord,
  type FunctionRecord,
  newActivationId,
  newDraftId,
  type TerminalStatus,
} from "@sous/contract";
import type {
  FunctionKey,
  JournalEntry,
  Page,
  PageRequest,
  Store,
  TerminalRecord,
  VersionDraft,
} from "../store.ts";

export const NOW_MS = 1_750_000_000_000;
export const DAY_MS = 24 * 3600 * 1000;

export const HELLO: FunctionKey = { tenant: "t_default", namespace: "default", name: "hello" };

export const sampleFunction = (key: FunctionKey = HELLO): FunctionRecord => ({
  ...key,
  runtime: "cs-js",
  entry: "index.js",
  handler: "default",
  created_at_ms: NOW_MS,
  deleted_at_ms: null,
});

export const sampleBundle = (text: string): Uint8Array => new TextEncoder().encode(text);

export const sampleDraft = (bundle: Uint8Array, change: Partial<DraftRecord> = {}): DraftRecord => ({
  draft_id: newDraftId(),
  sha256: createHash("sha256").update(bundle).digest("hex"),
  size_bytes: bundle.byteLength,
  created_at_ms: NOW_MS,
  expires_at_ms: NOW_MS + DAY_MS,
  consumed: false,
  ...change,
});

export const sampleVersion = (draft: DraftRecord): VersionDraft => ({
  sha256: draft.sha256,
  size_bytes: draft.size_bytes,
  runtime: "cs-js",
  entry: "index.js",
  handler: "default",
  config: {
    timeout_ms: 30_000,
    memory_mb: 64,
    max_concurrency: 10,
    env: { GREETING: "¡hola! 👋" },
    capabilities: {
      kv: { prefixes: [], ops: [] },
      codeq: { publish_topics: [] },
      http: { allow_hosts: [], timeout_ms: 30_000 },
    },
    authz: { invoke_http_roles: ["admin"], invoke_schedule_roles: [], invoke_cadence_roles: [] },
    secrets: [],
    retry: { max_attempts: 3, backoff_ms: 1000, backoff_max_ms: 60_000, max_age_ms: 21_600_000 },
    isolation: "warm",
    durability: "relaxed",
  },
  published_at_ms: NOW_MS,
  published_by: "ada",
});

/** Puts a fresh draft and publishes it. @returns the number of the version */
export async function publishSample(store: Store, key: FunctionKey = HELLO, alias?: string): Promise<number> {
  const bundle = sampleBundle(`export default () => ${Math.random()};`);
  const draft = sampleDraft(bundle);
  await store.drafts.put(key, draft, bundle);
  const version = sampleVersion(draft);
  return (await store.versions.publish({ key, draftId: draft.draft_id, version, alias, nowMs: NOW_MS }))
    .version;
}

export const sampleActivation = (change: Partial<ActivationRecord> = {}): ActivationRecord => ({
  activation_id: newActivationId(),
  request_id: "req_01ARZ3NDEKTSV4RRFFQ69G5FAV",
  tenant: HELLO.tenant,
  namespace: HELLO.namespace,
  function: HELLO.name,
  ref: { function: HELLO.name, version: 1 },
  resolved_version: 1,
  trigger: { type: "api", source: {} },
  principal: { sub: "ada", roles: ["admin"] },
  mode: "async",
  status: "queued",
  attempt: 1,
  attempts: [],
  enqueued_at_ms: NOW_MS,
  start_ms: null,
  end_ms: null,
  duration_ms: null,
  deadline_ms: 0,
  result_truncated: false,
  cold: false,
  cold_reason: "none",
  tier: "isolate",
  sandbox_id: "",
  timings: {
    queue_ms: 0.25,
    placement_ms: 0,
    boot_ms: 0,
    fetch_ms: 0,
    init_ms: 0,
    handler_ms: 0,
    host_calls_ms: 0,
  },
  cpu_ms: 0,
  memory_peak_bytes: 0,
  log_bytes: 0,
  logs_truncated: false,
  host_calls: 0,
  egress_bytes: 0,
  ...change,
});

/** The terminal record that follows from a record. */
export const finished = (
  record: ActivationRecord,
  status: TerminalStatus = "success",
  change: Partial<ActivationRecord> = {},
): TerminalRecord => ({ ...record, end_ms: NOW_MS + 5, duration_ms: 5, ...change, status });

export const sampleEntry = (id: string, change: Partial<JournalEntry> = {}): JournalEntry => ({
  id,
  topic: "cs.invoke",
  tenant: HELLO.tenant,
  lane: "default/hello",
  body_json: '{"event_json":"{\\"n\\":1}"}',
  attempt: 1,
  enqueued_at_ms: NOW_MS,
  due_at_ms: 0,
  expires_at_ms: NOW_MS + DAY_MS,
  dead: false,
  dead_reason: null,
  ...change,
});

/** Reads a list to its end, page by page. */
export async function everyPage<T>(
  limit: number,
  read: (page: PageRequest) => Promise<Page<T>>,
): Promise<T[][]> {
  const pages: T[][] = [];
  let cursor: string | undefined;
  do {
    const page = await read({ limit, cursor });
    pages.push(page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return pages;
}

/** For `assert.rejects`: a PlatformError with this code. */
export const withCode = (code: string) => ({ name: "PlatformError", code });
