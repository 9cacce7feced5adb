import type { ActivationRecord } from "@sous/contract";
import type { Command } from "commander";
import { createContext, wholeNumber } from "../command-context.ts";
import { formatFields } from "../output/table.ts";
import { formatMs, formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

/** `cs activation get ID`: the record of one activation. */
export const registerActivationGet: Register = (parent, deps) => {
  parent
    .command("get")
    .description("show the record of one activation")
    .argument("<id>", "activation id")
    .option("--wait <seconds>", "for its end, at most so long", wholeNumber(0, 30))
    .action(async (id: string, options: { wait?: number }, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const record = await api.getActivation(id, options.wait);
      const { result, error } = record;
      output.data(record, () =>
        formatFields([
          ["activation", record.activation_id],
          ["function", `${record.namespace}/${record.function} v${record.resolved_version}`],
          ["status", record.status],
          ["trigger", `${record.trigger.type}, ${record.mode}, by ${record.principal.sub}`],
          ...originOf(record),
          ["queued", formatTime(record.enqueued_at_ms)],
          ["took", record.duration_ms === null ? "still running" : formatMs(record.duration_ms)],
          ["attempts", String(record.attempt)],
          ["request id", record.request_id],
          ...(error === undefined ? [] : [["error", `${error.type}: ${error.message}`] as const]),
          ...(result === undefined ? [] : [["result", `${result.statusCode} ${result.body}`] as const]),
        ]),
      );
      if (!output.json) output.note(`more: cs activation explain ${id}, cs activation logs ${id}`);
    });
};

/** @returns what it came from, as a line each */
function originOf({ trigger: { source } }: ActivationRecord): (readonly [string, string])[] {
  const { redriven_from, destination, activation_id } = source;
  const origin: (readonly [string, string])[] = [];
  if (typeof activation_id === "string")
    origin.push(["came from", `${String(destination)} of ${activation_id}`]);
  if (typeof redriven_from === "string") origin.push(["redriven from", redriven_from]);
  return origin;
}
