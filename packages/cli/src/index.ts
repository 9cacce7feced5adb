export type { CliDeps, TextSink, TextSource } from "./cli-deps.ts";
export type {
  ConfigEntry,
  DoctorCheck,
  DoctorReport,
  LocalRun,
  LocalRunOptions,
  PlatformFlags,
  PlatformPort,
  RunningPlatform,
} from "./platform-port.ts";
export { runCli } from "./run-cli.ts";
