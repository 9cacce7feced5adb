export { EndedGroup } from "./ended-group.ts";
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
  Store,
  TerminalRecord,
  TokenStore,
  VersionDraft,
  VersionStore,
} from "./store.ts";
