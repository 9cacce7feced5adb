import type { Command } from "commander";
import { EXIT } from "../client/cli-error.ts";
import { outputOf } from "../command-context.ts";
import { parseSince } from "../logs/parse-since.ts";
import { printDataReport, progressNotes } from "../output/data-report.ts";
import type { MigrateDataOptions } from "../platform-port.ts";
import type { Register } from "../register.ts";

type Options = Omit<MigrateDataOptions, "sinceMs"> & { since?: string };

/** `cs migrate`: brings all data of one store to another, verified, as often as one likes. */
export const registerMigrate: Register = (parent, deps) => {
  parent
    .command("migrate")
    .description("bring all data from one store to another; both platforms must be stopped")
    .requiredOption("--from <url>", "store to read: sqlite:FILE, postgres://…, redis://…")
    .requiredOption("--to <url>", "store to write; empty, or with what an earlier run wrote")
    .option("--bundles-from <url>", "besides the store's: file:FOLDER, s3://BUCKET/PREFIX")
    .option("--bundles-to <url>", "brings published bundles there too: file:FOLDER, s3://BUCKET/PREFIX")
    .option("--since <time>", "of activations only those since: 10m, 2h, 3d or a moment")
    .option("--without-activations", "leave activations and their logs behind")
    .option("--merge", "into a store that holds something else; what has the same name there stays")
    .option("--dry-run", "say what would be written, and write nothing")
    .option("--config <file>", "cs.yaml, for the credentials of S3")
    .action(async (options: Options, command: Command) => {
      const output = outputOf(command, deps);
      const { since, ...rest } = options;
      const sinceMs = since === undefined ? undefined : parseSince(since, deps.now());
      const { migrateData } = await deps.loadPlatform();
      const report = await migrateData({ ...rest, sinceMs, onProgress: progressNotes(output, deps.now) });
      if (printDataReport(output, report)) deps.exitWith(EXIT.server);
    });
};
