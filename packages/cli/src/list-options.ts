import type { Command } from "commander";
import type { Page } from "./client/paging.ts";
import { wholeNumber } from "./command-context.ts";
import type { Output } from "./output/output.ts";

/** Options of every list. */
export interface ListOptions {
  limit: number;
  all?: boolean;
}

/** Adds how much of a list is read. */
export const addListOptions = (command: Command): Command =>
  command
    .option("--limit <n>", "most items to read", wholeNumber(1, 1_000_000), 100)
    .option("--all", "read all of them");

/** @returns how many items to read at most */
export const itemsMaxOf = (options: ListOptions): number =>
  options.all === true ? Number.POSITIVE_INFINITY : options.limit;

/** Tells people that a list goes on; programs see `next_cursor`. */
export function noteMore(output: Output, page: Page<unknown>): void {
  if (!output.json && page.next_cursor !== null) output.note("there are more; see --limit and --all");
}
