import type { DeadLetterKind, DeadLetterSelection } from "@sous/contract";
import type { Command } from "commander";
import { CliError } from "./client/cli-error.ts";
import { oneOf } from "./command-context.ts";

/** Options that say which dead letters are meant. */
export interface DeadLetterOptions {
  function?: string;
  kind?: DeadLetterKind;
  all?: boolean;
}

const KINDS = ["invocation", "destination"] as const;

/** Adds what narrows dead letters to some of the namespace. */
export const addDeadLetterFilter = (command: Command): Command =>
  command
    .option("--function <name>", "only of this function of the namespace")
    .option(
      "--kind <kind>",
      "invocation: calls that failed; destination: ends that were not told",
      oneOf(KINDS),
    );

/** @returns the selection of a redrive or purge. @throws CliError unless it says exactly one thing */
export function selectionOf(ids: readonly string[], options: DeadLetterOptions): DeadLetterSelection {
  const { function: name, kind, all } = options;
  const given = [ids.length > 0, name !== undefined, all === true].filter(Boolean).length;
  if (given !== 1) {
    throw new CliError("say which: ids, --function NAME, or --all", { hint: "`cs dlq list` shows them." });
  }
  const narrowed = kind === undefined ? {} : { kind };
  if (ids.length > 0) return { ids: [...ids] };
  return name === undefined ? { all: true, ...narrowed } : { function: name, ...narrowed };
}
