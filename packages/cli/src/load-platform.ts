import type { PlatformPort } from "./platform-port.ts";
import { CliError } from "./client/cli-error.ts";

const NAMES = [
  "startPlatform",
  "runLocally",
  "inspectHost",
  "describeConfig",
  "migrateData",
  "backupData",
  "restoreData",
] as const;

/**
 * Loads `@sous/platform` and checks that it offers what the command line needs.
 * @throws CliError where it does not
 */
export async function loadPlatform(): Promise<PlatformPort> {
  const platform: Partial<PlatformPort> = await import("@sous/platform");
  const missing = NAMES.filter((name) => typeof platform[name] !== "function");
  if (isComplete(platform)) return platform;
  throw new CliError(`@sous/platform does not offer ${missing.join(", ")}`, {
    hint: "Command line and platform are of different versions; run `npm install`.",
  });
}

const isComplete = (platform: Partial<PlatformPort>): platform is PlatformPort =>
  NAMES.every((name) => typeof platform[name] === "function");
