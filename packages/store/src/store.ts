import type {
  ActivationRecord,
  AliasRecord,
  AuditEnd,
  AuditEvent,
  AuditOutcome,
  DraftRecord,
  FunctionRecord,
  ScheduleRecord,
  ScheduleState,
  SecretRecord,
  TerminalStatus,
  TokenRecord,
  TriggerType,
  VersionRecord,
} from "@sous/contract";
import type { EndedGroup } from "./ended-group.ts";

/** The scope every function lives in. */
export interface FunctionKey {
  tenant: string;
  namespace: string;
  name: string;
}

/** One page of a list, newest first unless the method says otherwise. */
export interface Page<T> {
  items: T[];
  /** Opaque; `null` when there is nothing more. */
  next_cursor: string | null;
}

/** Which page of a list. A limit or cursor that makes no sense is refused with CS_VALIDATION_FAILED. */
export interface PageRequest {
  /** 1–500. */
  limit: number;
  /** `next_cursor` of the page before; the first page has none. */
  cursor?: string | undefined;
}

/**
 * The store: all durable state of the platform behind one port. Every method may throw
 * `CS_STORE_UNAVAILABLE`, `CS_STORE_WRITE_FAILED` or `CS_STORE_READ_FAILED`.
 *
 * Writes that are issued in the same tick of the event loop are committed in the same transaction, in the
 * order they were issued; a write's promise settles after that transaction is on disk. A write that is
 * refused (a conflict, a missing row) refuses only itself, not its neighbours in the transaction.
 * Reads see every write whose promise has settled.
 */
export interface Store extends AsyncDisposable {
  readonly functions: FunctionStore;
  readonly drafts: DraftStore;
  readonly versions: VersionStore;
  readonly aliases: AliasStore;
  readonly activations: ActivationStore;
  readonly logs: LogStore;
  readonly kv: KvStore;
  readonly secrets: SecretStore;
  readonly tokens: TokenStore;
  readonly schedules: ScheduleStore;
  readonly leases: LeaseStore;
  readonly resources: ResourceStore;
  readonly audit: AuditStore;
  readonly journal: QueueJournal;
  /** Proves that the store can take a write now. @throws CS_STORE_UNAVAILABLE */
  check(): Promise<void>;
  /**
   * Removes what has outlived its time: drafts, terminal activations with their logs, audit events, kv entries.
   * @returns rows removed
   */
  sweep(nowMs: number): Promise<number>;
}

export interface FunctionStore {
  /**
   * Creates a function, or revives a soft-deleted one (its versions go on counting).
   * @throws CS_CONFLICT when an active function has the name
   */
  create(record: FunctionRecord): Promise<void>;
  /** @returns the record, also of a soft-deleted function, or `undefined` */
  get(key: FunctionKey): Promise<FunctionRecord | undefined>;
  /** Lists by name, ascending. */
  list(
    scope: { tenant: string; namespace: string; includeDeleted: boolean },
    page: PageRequest,
  ): Promise<Page<FunctionRecord>>;
  /** Marks as deleted. @throws CS_NOT_FOUND when there is no active function */
  softDelete(key: FunctionKey, deletedAtMs: number): Promise<void>;
}

export interface DraftStore {
  /** Keeps a draft and its bundle bytes. @throws CS_NOT_FOUND when the function is missing or deleted */
  put(key: FunctionKey, draft: DraftRecord, bundle: Uint8Array): Promise<void>;
  /** @returns the draft with its bundle, also when expired or consumed, or `undefined` */
  get(key: FunctionKey, draftId: string): Promise<{ draft: DraftRecord; bundle: Uint8Array } | undefined>;
}

/** A version before it has its number. */
export type VersionDraft = Omit<VersionRecord, "version">;

export interface PublishRequest {
  key: FunctionKey;
  draftId: string;
  version: VersionDraft;
  /** Set in the same transaction when given. */
  alias?: string | undefined;
  nowMs: number;
}

export interface VersionStore {
  /**
   * Publishes atomically: next number, version, bundle (shared by sha256), optional alias, draft consumed.
   * @returns the record with its number
   * @throws CS_NOT_FOUND for a missing function or draft, CS_CONFLICT for an expired or consumed draft,
   * CS_VALIDATION_FAILED when the version's sha256 is not that of the draft
   */
  publish(request: PublishRequest): Promise<VersionRecord>;
  get(key: FunctionKey, version: number): Promise<VersionRecord | undefined>;
  /** @returns the newest version, or `undefined` when none was published */
  latest(key: FunctionKey): Promise<VersionRecord | undefined>;
  list(key: FunctionKey, page: PageRequest): Promise<Page<VersionRecord>>;
  /** @returns the tar bytes of a published bundle, or `undefined` */
  bundle(sha256: string): Promise<Uint8Array | undefined>;
  /**
   * Puts the bytes of a published bundle over what is kept of it, where that is gone or damaged. The caller has
   * compared the bytes with their hash.
   */
  mendBundle(sha256: string, bytes: Uint8Array): Promise<void>;
}

export interface AliasStore {
  /** Points an alias at a version. @throws CS_NOT_FOUND when function or version is missing */
  set(key: FunctionKey, record: AliasRecord): Promise<void>;
  get(key: FunctionKey, alias: string): Promise<AliasRecord | undefined>;
  /** Every alias of a function, by name. */
  list(key: FunctionKey): Promise<AliasRecord[]>;
  /** @throws CS_NOT_FOUND */
  delete(key: FunctionKey, alias: string): Promise<void>;
}

export interface ActivationFilter {
  tenant: string;
  namespace?: string | undefined;
  function?: string | undefined;
  status?: ActivationRecord["status"] | undefined;
  trigger?: TriggerType | undefined;
  /** Enqueued at or after this moment. */
  sinceMs?: number | undefined;
}

/** A terminal record: its status is one of the terminal ones. */
export type TerminalRecord = ActivationRecord & { status: TerminalStatus };

/**
 * Activation records. `queued → running → terminal`; terminal never changes. An update is a compare-and-set
 * on status and attempt: it applies only where the stored record is not terminal and its attempt is not
 * higher than the update's.
 */
export interface ActivationStore {
  /** Inserts a queued record. @throws CS_CONFLICT when the id exists */
  create(record: ActivationRecord): Promise<void>;
  /** Applies a `queued` or `running` record over the stored one. @returns whether it applied */
  update(record: ActivationRecord): Promise<boolean>;
  /**
   * Writes the one terminal record, inserting it where nothing was stored before (synchronous calls).
   * @returns whether this call made it terminal; `false` means it had ended before
   */
  finish(record: TerminalRecord): Promise<boolean>;
  /**
   * Writes the ends of many activations with their logs, as they are: for activations that have no record yet and
   * of which nobody else writes one. Nothing is compared. Settles when all of them are on disk, rejects when none is.
   */
  append(group: EndedGroup): Promise<void>;
  get(tenant: string, activationId: string): Promise<ActivationRecord | undefined>;
  list(filter: ActivationFilter, page: PageRequest): Promise<Page<ActivationRecord>>;
  /** Non-terminal records, oldest first, for recovery after a crash. */
  unfinished(limit: number): Promise<ActivationRecord[]>;
}

/** Logs are kept in chunks, numbered from 0 in the order they were written. */
export interface LogStore {
  /** Appends chunks; each is one line of the log, already redacted and bounded. */
  append(tenant: string, activationId: string, chunks: readonly string[]): Promise<void>;
  /** @returns up to `limit` chunks from number `from` on */
  read(tenant: string, activationId: string, from: number, limit: number): Promise<string[]>;
}

export interface KvScope {
  tenant: string;
  namespace: string;
}

export interface KvStore {
  /** @returns the JSON text, or `undefined` when absent or expired */
  get(scope: KvScope, key: string, nowMs: number): Promise<string | undefined>;
  /**
   * @param expiresAtMs `null` for never
   * @throws CS_PAYLOAD_TOO_LARGE when the namespace's quota (LIMITS.kvNamespaceBytesMax) would be passed,
   * CS_VALIDATION_FAILED for a key that is not well-formed Unicode
   */
  set(scope: KvScope, key: string, json: string, expiresAtMs: number | null): Promise<void>;
  /** @returns whether there was something to delete */
  delete(scope: KvScope, key: string): Promise<boolean>;
  /** Lists keys with a prefix, ascending, without the expired. */
  list(scope: KvScope, prefix: string, nowMs: number, page: PageRequest): Promise<Page<string>>;
}

/** A secret as it is kept: what it may show, and its value in a form only the holder of the key can read. */
export interface SealedSecret {
  record: SecretRecord;
  /** Opaque text; the store never sees a key, nor a value. */
  sealed: string;
}

export interface SecretStore {
  /**
   * Keeps a sealed value under a name, over the one before; its version counts up from 1.
   * @throws CS_CONFLICT when it is new and the namespace holds LIMITS.secretsPerNamespaceMax already
   */
  put(
    scope: KvScope,
    secret: { name: string; sealed: string; key_id: string },
    nowMs: number,
  ): Promise<SecretRecord>;
  get(scope: KvScope, name: string): Promise<SealedSecret | undefined>;
  /**
   * Puts the same value sealed anew in the place of what it was sealed as; version and times stay.
   * @param was the sealed text it was
   * @returns whether it applied: `false` for one that was set or deleted meanwhile
   */
  reseal(
    scope: KvScope,
    secret: { name: string; sealed: string; key_id: string },
    was: string,
  ): Promise<boolean>;
  /** Lists by name, ascending in code point order, without the values. */
  list(scope: KvScope, page: PageRequest): Promise<Page<SecretRecord>>;
  /**
   * @param after the one to go on after; `undefined` for the first
   * @returns namespaces that hold secrets, by tenant and namespace ascending, at most `limit`. In Redis a walk over all keys
   */
  scopes(after: KvScope | undefined, limit: number): Promise<KvScope[]>;
  /** @throws CS_NOT_FOUND */
  delete(scope: KvScope, name: string): Promise<void>;
}

export interface TokenStore {
  /** Keeps a token by the SHA-256 of its secret. @throws CS_CONFLICT when the id exists */
  create(record: TokenRecord, secretSha256: string): Promise<void>;
  /** @returns the record and hash, also of a revoked token, or `undefined` */
  get(tokenId: string): Promise<{ record: TokenRecord; secretSha256: string } | undefined>;
  list(tenant: string, page: PageRequest): Promise<Page<TokenRecord>>;
  /** Revokes a token; the moment of its first revocation stays. @throws CS_NOT_FOUND */
  revoke(tenant: string, tokenId: string, revokedAtMs: number): Promise<void>;
}

/** A schedule with where it stands. */
export interface StoredSchedule {
  record: ScheduleRecord;
  state: ScheduleState;
}

/** From when a schedule that is new or changed goes on; both `null` where it does not. */
export type ScheduleStart = Pick<ScheduleState, "next_tick_ms" | "due_at_ms">;

/** Proof of a term of leadership. */
export interface Fence {
  lease: string;
  epoch: number;
}

/**
 * Schedules. The record is its owner's (`create`, `replace`), the state the scheduler's (`advance`). Both numbers
 * only grow: `generation` with each change of the record, `tick_seq` with each tick and each change.
 */
export interface ScheduleStore {
  /**
   * Keeps a new schedule; its first tick has number 1.
   * @throws CS_CONFLICT when the name is taken or the namespace holds LIMITS.schedulesPerNamespaceMax already
   */
  create(record: ScheduleRecord, start: ScheduleStart): Promise<void>;
  get(key: FunctionKey): Promise<StoredSchedule | undefined>;
  /** Lists by name, ascending. */
  list(scope: KvScope, page: PageRequest): Promise<Page<StoredSchedule>>;
  /**
   * Puts a changed record over the one whose generation is one less, of the same uid. The next tick's number is one
   * higher than it would have been, so that no tick of before can be taken for it; a catching-up ends.
   * @returns whether it applied; `false` when somebody changed or deleted it first
   */
  replace(record: ScheduleRecord, start: ScheduleStart): Promise<boolean>;
  /** @throws CS_NOT_FOUND */
  delete(key: FunctionKey): Promise<void>;
  /** Schedules of all tenants whose `due_at_ms` is at or before a moment, the earliest first. */
  due(untilMs: number, page: PageRequest): Promise<Page<StoredSchedule>>;
  /**
   * Moves a schedule from the state it was read in: a compare-and-set on uid and `tick_seq`.
   * @param fence where there is one, it applies only while the lease has this epoch
   * @returns whether it applied
   */
  advance(read: StoredSchedule, next: ScheduleState, fence: Fence | undefined): Promise<boolean>;
}

/** Who holds a lease, or held it last. */
export interface Lease {
  holder: string;
  epoch: number;
  until_ms: number;
}

/**
 * Leases: who of several processes does what only one may. Times are the callers' clocks; a clock that is wrong
 * moves a change of holder, but two holders never have the same epoch.
 */
export interface LeaseStore {
  /** @returns the lease as it stands, also one that has run out; `undefined` before its first holder */
  read(name: string): Promise<Lease | undefined>;
  /**
   * Takes a lease that is free or has run out, whoever held it.
   * @param stale the lease as it was read long ago: when it is still exactly so, nobody renews it, and it counts as
   *   run out whatever the clocks say
   * @returns its epoch, higher than every one before; `undefined` while somebody holds it
   */
  acquire(
    name: string,
    holder: string,
    nowMs: number,
    untilMs: number,
    stale?: Lease,
  ): Promise<number | undefined>;
  /** Keeps a lease. @returns `false` when another has it, or it was released */
  renew(name: string, epoch: number, untilMs: number): Promise<boolean>;
  /** Gives a lease back; its epoch is over at once. An old epoch is ignored. */
  release(name: string, epoch: number): Promise<void>;
  /**
   * Takes note of a term that was decided elsewhere, so that nothing of an epoch before it passes a fence any more.
   * Such a lease has no end here (`until_ms` 0).
   * @returns `false` when the lease has a higher epoch, or this one under another holder
   */
  raise(name: string, holder: string, epoch: number): Promise<boolean>;
}

/** A named thing with its record, as it stands. */
export interface StoredResource {
  key: FunctionKey;
  /** 1 when it is new, one more with each change. A name that is taken again begins at 1 anew. */
  generation: number;
  record_json: string;
}

/**
 * Named things of the control plane that are only text to the store: event sources and their checkpoints, workers,
 * members. A kind's name is 1–32 of `a-z 0-9 -` and begins with a letter; tenant and namespace are 1–64 of
 * `A-Z a-z 0-9 _ -`, a name 1–128 of these and `. : @ /`; a record is at most LIMITS.resourceRecordBytesMax of
 * UTF-8. What is neither is refused: CS_VALIDATION_FAILED, CS_PAYLOAD_TOO_LARGE.
 */
export interface ResourceStore {
  /** @throws CS_CONFLICT when the name is taken, or the namespace holds `max` of this kind already */
  create(kind: string, key: FunctionKey, recordJson: string, max: number): Promise<void>;
  get(kind: string, key: FunctionKey): Promise<StoredResource | undefined>;
  /** Lists those of one namespace, by name ascending. */
  list(kind: string, scope: KvScope, page: PageRequest): Promise<Page<StoredResource>>;
  /** Lists those of all tenants, by tenant, namespace and name ascending. */
  all(kind: string, page: PageRequest): Promise<Page<StoredResource>>;
  /**
   * Puts a record over the one of a generation: a compare-and-set.
   * @param fence where there is one, it applies only while the lease has this epoch
   * @returns whether it applied
   */
  replace(
    kind: string,
    key: FunctionKey,
    generation: number,
    recordJson: string,
    fence?: Fence,
  ): Promise<boolean>;
  /**
   * Deletes it, with a generation only if it still has that.
   * @returns whether there was one
   */
  delete(kind: string, key: FunctionKey, generation?: number): Promise<boolean>;
}

/** Which audit events of a tenant. */
export interface AuditFilter {
  tenant: string;
  sub?: string | undefined;
  action?: string | undefined;
  type?: string | undefined;
  /** Beginning of the resource. */
  resource?: string | undefined;
  outcome?: AuditOutcome | undefined;
  /** At or after this moment. */
  sinceMs?: number | undefined;
  /** At or before this moment. */
  untilMs?: number | undefined;
}

/**
 * Who changed what. An event is kept before its change is tried, and gets its end once: what no end was written for may
 * have happened or not.
 */
export interface AuditStore {
  /** Keeps an event whose outcome is `unknown`. @throws CS_CONFLICT when the id exists */
  begin(event: AuditEvent): Promise<void>;
  /** @returns whether this was its end; `false` where it has one, or there is no such event */
  end(tenant: string, eventId: string, end: AuditEnd): Promise<boolean>;
  /** Newest first. Looks at so many events a page and no more: one may hold fewer than its limit, and go on. */
  list(filter: AuditFilter, page: PageRequest): Promise<Page<AuditEvent>>;
}

/** One durable message of the embedded queue, as it must come back after a crash. */
export interface JournalEntry {
  id: string;
  topic: string;
  tenant: string;
  lane: string;
  body_json: string;
  attempt: number;
  enqueued_at_ms: number;
  /** Not to be delivered before. */
  due_at_ms: number;
  expires_at_ms: number;
  dead: boolean;
  dead_reason: string | null;
}

/** Where the embedded queue keeps work that was acknowledged to its sender. */
export interface QueueJournal {
  /** Keeps an entry. One that is there with the same id, as a dead letter, gives way to it. */
  append(entry: JournalEntry): Promise<void>;
  /** Rewrites attempt, due and expiry time and dead-letter state of an entry. Unknown ids are ignored. */
  update(entry: JournalEntry): Promise<void>;
  remove(id: string): Promise<void>;
  /** Every entry in the order of appending. */
  load(): Promise<JournalEntry[]>;
}
