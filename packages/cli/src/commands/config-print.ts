import type { Command } from "commander";
import { outputOf } from "../command-context.ts";
import { formatTable } from "../output/table.ts";
import { addPlatformFlags, readPlatformFlags } from "../platform-flags.ts";
import type { PlatformFlags } from "../platform-port.ts";
import type { Register } from "../register.ts";

/** `cs config print`: the configuration a platform started now would have, and where each value comes from. */
export const registerConfigPrint: Register = (parent, deps) => {
  addPlatformFlags(
    parent.command("print").description("print the configuration in effect, and where each value comes from"),
  ).action(async (options: PlatformFlags, command: Command) => {
    const output = outputOf(command, deps);
    const platform = await deps.loadPlatform();
    const entries = await platform.describeConfig(readPlatformFlags(options));
    output.data({ entries }, () =>
      formatTable(
        ["KEY", "VALUE", "FROM"],
        entries.map(({ key, value, source }) => [
          key,
          typeof value === "string" ? value : JSON.stringify(value),
          source,
        ]),
        "nothing is configured",
      ),
    );
  });
};
