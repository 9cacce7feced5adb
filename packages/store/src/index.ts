export { EndedGroup } from "./ended-group.ts";
export { createPostgresStore, type PostgresStoreOptions } from "./postgres/postgres-store.ts";
export { createRedisStore, type RedisStoreOptions } from "./redis/redis-store.ts";
export { createSqliteStore, type SqliteStoreOptions } from "./sqlite/sqlite-store.ts";
export type {
  ActivationFilter,
  ActivationStore,
  AliasStore,
  DraftStore,
  FunctionKey,
  FunctionStore,
  JournalEntry,
  KvScope,
  KvStore,
  LogStore,
  Page,
  PageRequest,
  PublishRequest,
  QueueJournal,
  SealedSecret,
  SecretStore,
  Store,
  TerminalRecord,
  TokenStore,
  VersionDraft,
  VersionStore,
} from "./store.ts";
