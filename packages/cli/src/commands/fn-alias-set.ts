import type { Command } from "commander";
import { createContext, wholeNumber } from "../command-context.ts";
import { CliError } from "../client/cli-error.ts";
import { showRefusedPowers } from "../deploy/powers-table.ts";
import { groupOf, type Register } from "../register.ts";

interface AliasSetOptions {
  version: number;
  weight?: Record<string, number>;
  approve?: boolean;
}

/** `cs fn alias set NAME ALIAS --version N`: points an alias to a version. */
export const registerFnAliasSet: Register = (parent, deps) => {
  groupOf(parent, "alias", "aliases: names that point to versions")
    .command("set")
    .description("point an alias to a version")
    .argument("<name>", "name of the function")
    .argument("<alias>", "alias to set")
    .requiredOption("--version <n>", "version it points to", wholeNumber(1, 2_147_483_647))
    .option(
      "--weight <n=share>",
      "send this share (0 to 1) of calls to version n; may be repeated",
      collectWeight,
    )
    .option("--approve", "approve new powers, where the server asks for that")
    .action(async (name: string, alias: string, options: AliasSetOptions, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const record = await api
        .setAlias(name, alias, {
          version: options.version,
          ...(options.weight === undefined ? {} : { weights: options.weight }),
          ...(options.approve === true ? { approve: true } : {}),
        })
        .catch(showRefusedPowers(output));
      output.data(record, () => `${name}@${record.alias} is v${record.version}`);
    });
};

function collectWeight(text: string, earlier: Record<string, number> = {}): Record<string, number> {
  const found = /^([1-9]\d*)=(0(?:\.\d+)?|1(?:\.0+)?)$/.exec(text);
  if (found === null) throw new CliError(`--weight ${text} is not version=share, as 4=0.1`);
  return { ...earlier, [found[1] ?? ""]: Number(found[2]) };
}
