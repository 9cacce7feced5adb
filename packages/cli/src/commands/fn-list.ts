import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { addListOptions, itemsMaxOf, type ListOptions, noteMore } from "../list-options.ts";
import { formatTable } from "../output/table.ts";
import { formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

interface FnListOptions extends ListOptions {
  includeDeleted?: boolean;
}

/** `cs fn list`: the functions of the namespace. */
export const registerFnList: Register = (parent, deps) => {
  const command = parent
    .command("list")
    .description("list the functions of the namespace")
    .option("--include-deleted", "deleted functions too");
  addListOptions(command).action(async (options: FnListOptions, command: Command) => {
    const { api, output, scope } = await createContext(command, deps);
    const page = await api.listFunctions(itemsMaxOf(options), options.includeDeleted === true);
    output.data(page, () =>
      formatTable(
        ["NAME", "RUNTIME", "CREATED", "STATE"],
        page.items.map((item) => [
          item.name,
          item.runtime,
          formatTime(item.created_at_ms),
          item.deleted_at_ms === null ? "active" : "deleted",
        ]),
        `no functions in ${scope.tenant}/${scope.namespace}; \`cs fn init hello\` starts one`,
      ),
    );
    noteMore(output, page);
  });
};
