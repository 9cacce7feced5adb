import type { Command } from "commander";
import { createContext, oneOf } from "../command-context.ts";
import { addListOptions, itemsMaxOf, type ListOptions, noteMore } from "../list-options.ts";
import { parseSince } from "../logs/parse-since.ts";
import { formatTable } from "../output/table.ts";
import { formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

interface AuditListOptions extends ListOptions {
  sub?: string;
  action?: string;
  type?: string;
  resource?: string;
  outcome?: string;
  since?: string;
  until?: string;
}

const OUTCOMES = ["success", "refused", "failed", "unknown"] as const;

/** `cs audit list`: who changed what of the tenant, newest first. */
export const registerAuditList: Register = (parent, deps) => {
  const command = parent
    .command("list")
    .description("list who changed what, newest first")
    .option("--sub <subject>", "only by this subject")
    .option("--action <action>", "only what was asked so: cs:function:publish")
    .option("--type <type>", "only what happened so: FunctionPublished")
    .option("--resource <prefix>", "only of resources that begin so: cs:t_default:default:function/hello")
    .option("--outcome <outcome>", `only ${OUTCOMES.join(", ")}`, oneOf(OUTCOMES))
    .option("--since <when>", "from this time on: 10m, 2h, 3d, or epoch milliseconds")
    .option("--until <when>", "up to this time, in the same forms");
  addListOptions(command).action(async (options: AuditListOptions, command: Command) => {
    const { api, output } = await createContext(command, deps);
    const { sub, action, type, resource, outcome } = options;
    const moment = (text: string | undefined) =>
      text === undefined ? undefined : parseSince(text, deps.now());
    const times = { since: moment(options.since), until: moment(options.until) };
    const query = { sub, action, type, resource, outcome, ...times };
    const page = await api.listAuditEvents(query, itemsMaxOf(options));
    output.data(page, () =>
      formatTable(
        ["WHEN", "WHO", "WHAT", "RESOURCE", "OUTCOME", "REQUEST"],
        page.items.map((event) => [
          formatTime(event.ts_ms),
          event.actor.sub,
          event.type ?? event.action,
          event.resource,
          event.code === null ? event.outcome : `${event.outcome} (${event.code})`,
          event.request_id,
        ]),
        "no events",
      ),
    );
    noteMore(output, page);
  });
};
