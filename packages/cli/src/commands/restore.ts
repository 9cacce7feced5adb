import type { Command } from "commander";
import { EXIT } from "../client/cli-error.ts";
import { outputOf } from "../command-context.ts";
import { printDataReport, progressNotes } from "../output/data-report.ts";
import { readPlatformFlags } from "../platform-flags.ts";
import type { DataOptions, PlatformFlags } from "../platform-port.ts";
import type { Register } from "../register.ts";

type Options = PlatformFlags & Pick<DataOptions, "merge" | "dryRun"> & { from: string };

/** `cs restore`: a backup becomes the data of the configured store. */
export const registerRestore: Register = (parent, deps) => {
  parent
    .command("restore")
    .description("bring a backup into the store; the platform must be stopped")
    .requiredOption("--from <file>", "what cs backup made")
    .option("--store <url>", "store: sqlite:FILE, postgres://…, redis://…")
    .option("--data <folder>", "folder of the embedded store")
    .option("--bundles <url>", "where bundles lie besides: file:FOLDER, s3://BUCKET/PREFIX")
    .option("--config <file>", "cs.yaml")
    .option("--merge", "into a store that holds something else; what has the same name there stays")
    .option("--dry-run", "say what would be written, and write nothing")
    .action(async ({ from, merge, dryRun, ...options }: Options, command: Command) => {
      const output = outputOf(command, deps);
      const { restoreData } = await deps.loadPlatform();
      const report = await restoreData({
        file: from,
        flags: readPlatformFlags(options),
        merge,
        dryRun,
        onProgress: progressNotes(output, deps.now),
      });
      if (printDataReport(output, report)) deps.exitWith(EXIT.server);
    });
};
