export { type BundleStore, isSha256 } from "./bundles/bundle-store.ts";
export { type DiskCache, type DiskCacheOptions, openDiskCache } from "./bundles/disk-cache.ts";
export { createFileBundles, type FileBundlesOptions } from "./bundles/file-bundles.ts";
export { createS3Bundles, type S3BundlesOptions } from "./bundles/s3-bundles.ts";
export { EndedGroup } from "./ended-group.ts";
export { backupSqlite } from "./sqlite/backup-file.ts";
export { createSqliteStore, type SqliteStoreOptions } from "./sqlite/sqlite-store.ts";
export type {
  ActivationFilter,
  ActivationStore,
  AliasStore,
  AuditFilter,
  AuditStore,
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
  ResourceStore,
  ScheduleStart,
  ScheduleStore,
  SealedSecret,
  SecretStore,
  Store,
  StoredResource,
  StoredSchedule,
  TerminalRecord,
  TokenStore,
  VersionDraft,
  VersionStore,
} from "./store.ts";
export { copyBundles, type CopyBundlesReport } from "./transfer/copy-bundles.ts";
export { type Kind } from "./transfer/kinds.ts";
export {
  type KindReport,
  type MigrateOptions,
  type MigrateReport,
  migrateStore,
  type Progress,
} from "./transfer/migrate-store.ts";
export { openStoreEnd } from "./transfer/open-end.ts";
export type { StoreEnd } from "./transfer/store-end.ts";
