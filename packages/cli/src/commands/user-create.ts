import type { Command } from "commander";
import { commaList, createContext } from "../command-context.ts";
import { printUser } from "../output/user-text.ts";
import type { Register } from "../register.ts";

interface UserCreateOptions {
  roles: string[];
  displayName?: string;
}

/** `cs user create NAME`: makes a user; `cs token create --user NAME` makes its tokens. */
export const registerUserCreate: Register = (parent, deps) => {
  parent
    .command("create")
    .description("create a user, with the roles its tokens may have")
    .argument("<name>", "name of the user, an address of mail too")
    .requiredOption("--roles <roles>", "roles and actions, with commas: ops,cs:function:publish", commaList)
    .option("--display-name <text>", "what people call this user")
    .action(async (name: string, { roles, displayName }: UserCreateOptions, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const named = displayName === undefined ? {} : { display_name: displayName };
      printUser(output, await api.createUser({ name, roles, ...named }));
    });
};
