import type { CreateScheduleBody, OverlapPolicy } from "@sous/contract";
import type { Command } from "commander";
import type { CliDeps } from "../cli-deps.ts";
import { CliError } from "../client/cli-error.ts";
import { oneOf, wholeNumber } from "../command-context.ts";
import { parseNamedRef } from "../function-ref.ts";
import { readEvent } from "../read-input.ts";

/** Options that say what a schedule runs and when, as commander gives them. */
export interface ScheduleOptions {
  every?: number;
  cron?: string;
  timezone?: string;
  fn?: string;
  payload?: string;
  overlap?: OverlapPolicy;
  jitter?: number;
  maxCatchup?: number;
}

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const EVERY = /^([1-9]\d{0,5})([smhd]?)$/;

/** Adds the options that `create` and `update` share. */
export function addScheduleOptions(command: Command): Command {
  return command
    .option("--every <seconds>", "interval: seconds, or 30s, 5m, 2h, 1d", parseEvery)
    .option("--cron <expression>", "cron expression of five fields, or six with seconds first")
    .option("--timezone <zone>", "IANA time zone of --cron (UTC)")
    .option("--fn <ref>", "what to run: name, name@alias or name@version")
    .option("--payload <json>", "event of every tick as JSON, @file, or - for standard input (null)")
    .option(
      "--overlap <policy>",
      "while the tick before runs: skip, queue or parallel (skip)",
      oneOf(["skip", "queue", "parallel"]),
    )
    .option("--jitter <seconds>", "start each tick up to so much later (0)", wholeNumber(0, 3600))
    .option("--max-catchup <n>", "most missed ticks to make up for (60)", wholeNumber(0, 60));
}

type ScheduleFields = Partial<Omit<CreateScheduleBody, "name" | "enabled">>;

/** @returns the fields that were given */
export async function readScheduleOptions(options: ScheduleOptions, deps: CliDeps): Promise<ScheduleFields> {
  const fields: ScheduleFields = {};
  if (options.every !== undefined) fields.every_seconds = options.every;
  if (options.cron !== undefined) fields.cron = options.cron;
  if (options.timezone !== undefined) fields.timezone = options.timezone;
  if (options.overlap !== undefined) fields.overlap_policy = options.overlap;
  if (options.jitter !== undefined) fields.jitter_seconds = options.jitter;
  if (options.maxCatchup !== undefined) fields.max_catchup_ticks = options.maxCatchup;
  if (options.payload !== undefined) fields.payload = await readEvent(options.payload, deps);
  if (options.fn !== undefined) {
    const { name, target } = parseNamedRef(options.fn);
    fields.ref = { function: name, ...target };
  }
  return fields;
}

function parseEvery(text: string): number {
  const [, amount, unit = ""] = EVERY.exec(text) ?? [];
  if (amount === undefined) {
    throw new CliError(`--every ${text} is not an interval`, { hint: "Write 30, 30s, 5m, 2h or 1d." });
  }
  return Number(amount) * UNIT_SECONDS[(unit || "s") as keyof typeof UNIT_SECONDS];
}
