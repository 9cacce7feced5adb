import type { Command } from "commander";
import { CliError } from "../client/cli-error.ts";
import { commaList, createContext } from "../command-context.ts";
import { printUser } from "../output/user-text.ts";
import type { Register } from "../register.ts";

interface UserUpdateOptions {
  roles?: string[];
  displayName?: string;
}

/** `cs user update NAME`: changes what is given; `--roles` replaces the whole list. */
export const registerUserUpdate: Register = (parent, deps) => {
  parent
    .command("update")
    .description("change a user; a role taken away is taken from its tokens")
    .argument("<name>", "name of the user")
    .option("--roles <roles>", "all roles and actions, with commas", commaList)
    .option("--display-name <text>", "what people call this user")
    .action(async (name: string, { roles, displayName }: UserUpdateOptions, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const change = {
        ...(roles === undefined ? {} : { roles }),
        ...(displayName === undefined ? {} : { display_name: displayName }),
      };
      if (Object.keys(change).length === 0) {
        throw new CliError("there is nothing to change", { hint: "Give --roles or --display-name." });
      }
      printUser(output, await api.patchUser(name, change));
    });
};
