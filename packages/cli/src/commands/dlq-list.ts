import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { addDeadLetterFilter, type DeadLetterOptions } from "../dead-letter-options.ts";
import { addListOptions, itemsMaxOf, type ListOptions, noteMore } from "../list-options.ts";
import { formatTable } from "../output/table.ts";
import { formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

const REASON_LENGTH_MAX = 80;

/** `cs dlq list`: what failed for good, oldest first. */
export const registerDlqList: Register = (parent, deps) => {
  const command = parent.command("list").description("list dead letters of the namespace, oldest first");
  addListOptions(addDeadLetterFilter(command)).action(
    async (options: ListOptions & DeadLetterOptions, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const query = { function: options.function, kind: options.kind };
      const page = await api.listDeadLetters(query, itemsMaxOf(options));
      output.data(page, () =>
        formatTable(
          ["ID", "KIND", "FUNCTION", "ATTEMPTS", "DEAD SINCE", "REASON"],
          page.items.map((item) => [
            item.id,
            item.kind,
            item.function,
            String(item.attempt),
            formatTime(item.dead_at_ms),
            item.reason.slice(0, REASON_LENGTH_MAX),
          ]),
          "no dead letters",
        ),
      );
      noteMore(output, page);
    },
  );
};
