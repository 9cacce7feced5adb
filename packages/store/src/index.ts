export { EndedGroup } from "./ended-group.ts";
export { createPostgresStore, type PostgresStoreOptions } from "./postgres/postgres-store.ts";
export { createRedisStore, type RedisStoreOptions } from "./redis/redis-store.ts";
export { createSqliteStore, type SqliteStoreOptions } from "./sqlite/sqlite-store.ts";
export type {
  ActivationFilter,
  ActivationStore,
  AliasStore,
  DraftStore,
  Fence,
  FunctionKey,
  FunctionStore,
  JournalEntry,
  KvScope,
  KvStore,
  Lease,
  LeaseStore,
  LogStore,
  Page,
  PageRequest,
  PublishRequest,
  QueueJournal,
  ScheduleStart,
  ScheduleStore,
  SealedSecret,
  SecretStore,
  Store,
  StoredSchedule,
  TerminalRecord,
  TokenStore,
  VersionDraft,
  VersionStore,
} from "./store.ts";
