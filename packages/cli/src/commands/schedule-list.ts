import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { addListOptions, itemsMaxOf, type ListOptions, noteMore } from "../list-options.ts";
import { refText, timesText } from "../output/schedule-text.ts";
import { formatTable } from "../output/table.ts";
import { formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

/** `cs schedule list`: the schedules of the namespace and when each runs next. */
export const registerScheduleList: Register = (parent, deps) => {
  addListOptions(parent.command("list").description("list the schedules of the namespace")).action(
    async (options: ListOptions, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const page = await api.listSchedules(itemsMaxOf(options));
      output.data(page, () =>
        formatTable(
          ["NAME", "WHEN", "RUNS", "OVERLAP", "NEXT (UTC)"],
          page.items.map((item) => [
            item.name,
            timesText(item),
            refText(item),
            item.overlap_policy,
            item.next_tick_ms === null ? "paused" : formatTime(item.next_tick_ms),
          ]),
          "no schedules",
        ),
      );
      noteMore(output, page);
    },
  );
};
