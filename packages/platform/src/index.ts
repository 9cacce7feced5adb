export {
  backupData,
  type BackupDataOptions,
  type BackupReport,
  restoreData,
  type RestoreDataOptions,
} from "./roles/backup-data.ts";
export { describeConfig } from "./roles/describe-config.ts";
export { type DoctorCheck, type DoctorReport, inspectHost } from "./roles/inspect-host.ts";
export {
  type DataProgress,
  type DataReport,
  migrateData,
  type MigrateDataOptions,
} from "./roles/migrate-data.ts";
export { type LocalRun, type LocalRunOptions, runLocally } from "./roles/run-locally.ts";
export { type Platform, startPlatform, type StartOptions } from "./roles/start-platform.ts";
