import type { Generated } from "kysely";

/** Where a function's rows live; the first columns of every table that belongs to one. */
interface FunctionScope {
  tenant: string;
  namespace: string;
  name: string;
}

export interface FunctionTable extends FunctionScope {
  /** Number of the newest version, 0 before the first. Never goes back, so numbers are never reused. */
  version_seq: number;
  deleted_at_ms: number | null;
  doc: string;
}

export interface DraftTable extends FunctionScope {
  draft_id: string;
  sha256: string;
  size_bytes: number;
  created_at_ms: number;
  expires_at_ms: number;
  /** 0 or 1. */
  consumed: number;
}

/** Bundle bytes by content, shared by the drafts and versions that name the hash. */
export interface BundleTable {
  sha256: string;
  /** 1 once a version names it; until then it lives only as long as its drafts. */
  published: number;
  bytes: Uint8Array;
}

export interface VersionTable extends FunctionScope {
  version: number;
  doc: string;
}

export interface AliasTable extends FunctionScope {
  alias: string;
  version: number;
  /** JSON, or null for none. */
  weights: string | null;
  updated_at_ms: number;
}

export interface ActivationTable {
  /** Order of insertion; settles which of two records of one millisecond is newer. */
  seq: Generated<number>;
  tenant: string;
  id: string;
  namespace: string;
  function: string;
  status: string;
  trigger: string;
  attempt: number;
  enqueued_at_ms: number;
  doc: string;
}

/** Ends of activations in groups, as `EndedGroup` prints them. */
export interface ActivationGroupTable {
  seq: Generated<number>;
  /** The earliest and the latest moment its ends were queued, or their ids made. */
  first_ms: number;
  last_ms: number;
  /** Number of ends. */
  ends: number;
  doc: string;
}

/** One function's share of a group: what lists walk. */
export interface ActivationGroupPartTable {
  group_seq: number;
  tenant: string;
  namespace: string;
  function: string;
  first_ms: number;
  last_ms: number;
  /** Ends that are no success. */
  failed: number;
}

/** One row an append, not one a line: a finished activation writes its log once. */
export interface LogTable {
  seq: Generated<number>;
  tenant: string;
  activation_id: string;
  /** Number of the first line in this row. */
  first: number;
  count: number;
  at_ms: number;
  /** JSON array of strings. */
  lines: string;
}

export interface KvTable {
  tenant: string;
  namespace: string;
  key: string;
  json: string;
  /** What the entry counts against the quota: UTF-8 bytes of key and value. */
  bytes: number;
  expires_at_ms: number | null;
}

/** Bytes a namespace holds in `kv`, kept in step by every write so that the quota never needs a scan. */
export interface KvUsageTable {
  tenant: string;
  namespace: string;
  bytes: number;
}

export interface SecretTable {
  tenant: string;
  namespace: string;
  name: string;
  version: number;
  key_id: string;
  sealed: string;
  created_at_ms: number;
  updated_at_ms: number;
}

export interface ScheduleTable {
  tenant: string;
  namespace: string;
  name: string;
  uid: string;
  generation: number;
  /** JSON of the record. */
  doc: string;
  tick_seq: number;
  next_tick_ms: number | null;
  /** Null while it does not run: such rows are not in the index of what is due. */
  due_at_ms: number | null;
  inflight: string | null;
  catchup_end_seq: number | null;
}

export interface LeaseTable {
  name: string;
  holder: string;
  /** Counts the holders; never goes back, and is above that of the last term when nobody holds it. */
  epoch: number;
  until_ms: number;
}

export interface ResourceTable {
  kind: string;
  tenant: string;
  namespace: string;
  name: string;
  generation: number;
  doc: string;
}

export interface AuditEventTable {
  tenant: string;
  id: string;
  at_ms: number;
  /** JSON of the event as it began. */
  doc: string;
  /** JSON of its end, null before. */
  end_doc: string | null;
}

export interface TokenTable {
  token_id: string;
  tenant: string;
  secret_sha256: string;
  created_at_ms: number;
  revoked_at_ms: number | null;
  doc: string;
}

export interface JournalTable {
  seq: Generated<number>;
  id: string;
  topic: string;
  tenant: string;
  lane: string;
  body_json: string;
  attempt: number;
  enqueued_at_ms: number;
  due_at_ms: number;
  expires_at_ms: number;
  /** 0 or 1. */
  dead: number;
  dead_reason: string | null;
}

/** One row that `check` rewrites to prove that a write gets through. */
export interface ProbeTable {
  id: number;
  at_ms: number;
}

/** Every table of the SQL stores, for kysely. The definitions are in `migrations.ts`. */
export interface Tables {
  functions: FunctionTable;
  drafts: DraftTable;
  bundles: BundleTable;
  versions: VersionTable;
  aliases: AliasTable;
  activations: ActivationTable;
  activation_groups: ActivationGroupTable;
  activation_group_parts: ActivationGroupPartTable;
  logs: LogTable;
  kv: KvTable;
  kv_usage: KvUsageTable;
  tokens: TokenTable;
  secrets: SecretTable;
  schedules: ScheduleTable;
  leases: LeaseTable;
  resources: ResourceTable;
  audit_events: AuditEventTable;
  journal: JournalTable;
  probe: ProbeTable;
}
