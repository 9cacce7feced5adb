import type { Command } from "commander";
import { outputOf } from "../command-context.ts";
import { progressNotes } from "../output/data-report.ts";
import { formatBytes } from "../output/units.ts";
import { readPlatformFlags } from "../platform-flags.ts";
import type { PlatformFlags } from "../platform-port.ts";
import type { Register } from "../register.ts";

/** `cs backup`: all data in one file, whichever engine it lies in. */
export const registerBackup: Register = (parent, deps) => {
  parent
    .command("backup")
    .description("copy all data of the store into a file, while the platform serves")
    .requiredOption("--to <file>", "file to make")
    .option("--store <url>", "store: sqlite:FILE, postgres://…, redis://…")
    .option("--data <folder>", "folder of the embedded store")
    .option("--config <file>", "cs.yaml")
    .action(async ({ to, ...options }: PlatformFlags & { to: string }, command: Command) => {
      const output = outputOf(command, deps);
      const { backupData } = await deps.loadPlatform();
      const flags = readPlatformFlags(options);
      const report = await backupData({ file: to, flags, onProgress: progressNotes(output, deps.now) });
      output.data(report, () => `${report.store} → ${report.file} (${formatBytes(report.size_bytes)})`);
      for (const warning of report.warnings) output.warn(warning);
    });
};
