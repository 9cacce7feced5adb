import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { formatTable } from "../output/table.ts";
import { formatTime } from "../output/units.ts";
import { groupOf, type Register } from "../register.ts";

/** `cs fn alias list NAME`: shows where the aliases of a function point. */
export const registerFnAliasList: Register = (parent, deps) => {
  groupOf(parent, "alias", "aliases: names that point to versions")
    .command("list")
    .description("show where the aliases point")
    .argument("<name>", "name of the function")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const reply = await api.listAliases(name);
      output.data(reply, () =>
        formatTable(
          ["ALIAS", "VERSION", "ALSO", "UPDATED"],
          reply.aliases.map(({ alias, version, weights, updated_at_ms }) => [
            alias,
            `v${version}`,
            Object.entries(weights ?? {})
              .map(([other, share]) => `v${other} ${Math.round(share * 100)} %`)
              .join(", "),
            formatTime(updated_at_ms),
          ]),
          `${name} has no alias; \`cs fn alias set ${name} prod --version N\` sets one`,
        ),
      );
    });
};
