import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { addListOptions, itemsMaxOf, type ListOptions, noteMore } from "../list-options.ts";
import { activitiesOf } from "../output/cadence-worker-text.ts";
import { formatTable } from "../output/table.ts";
import { groupOf, type Register } from "../register.ts";

/** `cs cadence worker list`: the Cadence workers of the namespace. */
export const registerCadenceWorkerList: Register = (parent, deps) => {
  const group = groupOf(parent, "worker", "workers: which activities of Cadence run which functions");
  addListOptions(group.command("list").description("list the workers of the namespace")).action(
    async (options: ListOptions, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const page = await api.listCadenceWorkers(itemsMaxOf(options));
      output.data(page, () =>
        formatTable(
          ["NAME", "DOMAIN", "TASK LIST", "STATE", "ACTIVITIES"],
          page.items.map((item) => [
            item.name,
            item.domain,
            item.tasklist,
            item.enabled ? "enabled" : "paused",
            activitiesOf(item)
              .map(([type, ref]) => `${type}=${ref}`)
              .join(" "),
          ]),
          "no Cadence workers",
        ),
      );
      noteMore(output, page);
    },
  );
};
