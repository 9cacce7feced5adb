import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { addListOptions, itemsMaxOf, type ListOptions, noteMore } from "../list-options.ts";
import { readsText, runsText } from "../output/event-source-text.ts";
import { formatTable } from "../output/table.ts";
import type { Register } from "../register.ts";

/** `cs event-source list`: the event sources of the namespace. */
export const registerEventSourceList: Register = (parent, deps) => {
  addListOptions(parent.command("list").description("list the event sources of the namespace")).action(
    async (options: ListOptions, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const page = await api.listEventSources(itemsMaxOf(options));
      output.data(page, () =>
        formatTable(
          ["NAME", "READS", "RUNS", "STATE"],
          page.items.map((item) => [
            item.name,
            readsText(item),
            runsText(item),
            item.enabled ? "enabled" : "paused",
          ]),
          "no event sources",
        ),
      );
      noteMore(output, page);
    },
  );
};
