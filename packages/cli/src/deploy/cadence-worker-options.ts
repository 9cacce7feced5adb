import type { ActivityResult, FunctionRef, PatchCadenceWorkerBody } from "@sous/contract";
import type { Command } from "commander";
import { CliError } from "../client/cli-error.ts";
import { oneOf, wholeNumber } from "../command-context.ts";
import { parseNamedRef } from "../function-ref.ts";

/** Options that say what a Cadence worker takes and what runs it, as commander gives them. */
export interface CadenceWorkerOptions {
  domain?: string;
  tasklist?: string;
  workerId?: string;
  activity?: Record<string, FunctionRef>;
  pollers?: number;
  maxInflight?: number;
  result?: ActivityResult;
}

const POLLERS_MAX = 256;
const INFLIGHT_MAX = 100_000;

/** Adds the options that `create` and `update` share. */
export function addCadenceWorkerOptions(command: Command): Command {
  return command
    .option("--domain <domain>", "Cadence domain")
    .option("--tasklist <name>", "task list whose activity tasks it takes")
    .option("--worker-id <id>", "identity it gives itself towards Cadence (the name of the worker)")
    .option("--activity <type=ref>", "what runs an activity: Type=name@alias; may be repeated", addActivity)
    .option("--pollers <n>", "polls open at once (8)", wholeNumber(1, POLLERS_MAX))
    .option("--max-inflight <n>", "activities at work at once (256)", wholeNumber(1, INFLIGHT_MAX))
    .option(
      "--result <format>",
      "what the workflow gets: envelope (statusCode, headers, body as JSON) or body (envelope)",
      oneOf(["envelope", "body"]),
    );
}

/** @returns the fields that were given */
export function readCadenceWorkerOptions(options: CadenceWorkerOptions): PatchCadenceWorkerBody {
  const { domain, tasklist, workerId, activity, pollers, maxInflight, result } = options;
  return {
    ...(domain === undefined ? {} : { domain }),
    ...(tasklist === undefined ? {} : { tasklist }),
    ...(workerId === undefined ? {} : { worker_id: workerId }),
    ...(activity === undefined ? {} : { activity_map: activity }),
    ...(pollers === undefined ? {} : { pollers: { activity: pollers } }),
    ...(maxInflight === undefined ? {} : { limits: { max_inflight_tasks: maxInflight } }),
    ...(result === undefined ? {} : { result }),
  };
}

/** `=` may be part of a type: the last one counts. */
function addActivity(
  text: string,
  before: Record<string, FunctionRef> | undefined,
): Record<string, FunctionRef> {
  const at = text.lastIndexOf("=");
  const type = text.slice(0, Math.max(0, at));
  const ref = text.slice(at + 1);
  if (type === "" || ref === "") {
    throw new CliError(`--activity ${text} is not an activity`, {
      hint: "Write --activity Type=name@alias.",
    });
  }
  const { name, target } = parseNamedRef(ref);
  return { ...before, [type]: { function: name, ...target } };
}
