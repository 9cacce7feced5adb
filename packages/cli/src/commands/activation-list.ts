import type { Command } from "commander";
import { createContext, oneOf } from "../command-context.ts";
import { addListOptions, itemsMaxOf, type ListOptions, noteMore } from "../list-options.ts";
import { parseSince } from "../logs/parse-since.ts";
import { formatTable } from "../output/table.ts";
import { formatMs, formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

interface ActivationListOptions extends ListOptions {
  function?: string;
  status?: string;
  trigger?: string;
  since?: string;
}

const STATUSES = ["queued", "running", "success", "error", "timeout", "cancelled"] as const;
const TRIGGERS = ["http", "schedule", "cadence", "api", "event"] as const;

/** `cs activation list`: what ran, newest first. */
export const registerActivationList: Register = (parent, deps) => {
  const command = parent
    .command("list")
    .description("list activations, newest first")
    .option("--function <name>", "only of this function of the namespace")
    .option("--status <status>", `only ${STATUSES.join(", ")}`, oneOf(STATUSES))
    .option("--trigger <type>", `only ${TRIGGERS.join(", ")}`, oneOf(TRIGGERS))
    .option("--since <when>", "queued from this time on: 10m, 2h, 3d, or epoch milliseconds");
  addListOptions(command).action(async (options: ActivationListOptions, command: Command) => {
    const { api, output, scope } = await createContext(command, deps);
    const query = {
      function: options.function,
      namespace: options.function === undefined ? undefined : scope.namespace,
      status: options.status,
      trigger: options.trigger,
      since: options.since === undefined ? undefined : parseSince(options.since, deps.now()),
    };
    const page = await api.listActivations(query, itemsMaxOf(options));
    output.data(page, () =>
      formatTable(
        ["ACTIVATION", "FUNCTION", "TRIGGER", "STATUS", "TOOK", "START", "QUEUED AT"],
        page.items.map((item) => [
          item.activation_id,
          `${item.function} v${item.resolved_version}`,
          item.trigger.type,
          item.error === undefined ? item.status : `${item.status} (${item.error.type})`,
          item.duration_ms === null ? "" : formatMs(item.duration_ms),
          item.cold ? "cold" : "warm",
          formatTime(item.enqueued_at_ms),
        ]),
        "no activations",
      ),
    );
    noteMore(output, page);
  });
};
