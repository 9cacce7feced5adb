import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { addListOptions, itemsMaxOf, type ListOptions, noteMore } from "../list-options.ts";
import { formatTable } from "../output/table.ts";
import { formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

/** `cs secret list`: the secrets of the namespace, without their values. */
export const registerSecretList: Register = (parent, deps) => {
  addListOptions(
    parent.command("list").description("list the secrets of the namespace; values are never shown"),
  ).action(async (options: ListOptions, command: Command) => {
    const { api, output } = await createContext(command, deps);
    const page = await api.listSecrets(itemsMaxOf(options));
    output.data(page, () =>
      formatTable(
        ["NAME", "VERSION", "UPDATED", "KEY"],
        page.items.map((item) => [
          item.name,
          String(item.version),
          formatTime(item.updated_at_ms),
          item.key_id,
        ]),
        "no secrets",
      ),
    );
    noteMore(output, page);
  });
};
