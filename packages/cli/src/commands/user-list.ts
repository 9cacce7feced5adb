import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { addListOptions, itemsMaxOf, type ListOptions, noteMore } from "../list-options.ts";
import { formatTable } from "../output/table.ts";
import { formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

/** `cs user list`: the users of the tenant. */
export const registerUserList: Register = (parent, deps) => {
  addListOptions(parent.command("list").description("list the users of the tenant")).action(
    async (options: ListOptions, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const page = await api.listUsers(itemsMaxOf(options));
      output.data(page, () =>
        formatTable(
          ["NAME", "DISPLAY NAME", "ROLES", "STATE", "CREATED"],
          page.items.map((user) => [
            user.name,
            user.display_name,
            user.roles.join(","),
            user.state,
            formatTime(user.created_at_ms),
          ]),
          "no users",
        ),
      );
      noteMore(output, page);
    },
  );
};
