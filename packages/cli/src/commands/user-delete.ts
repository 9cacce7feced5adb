import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

/** `cs user delete NAME`: its tokens are gone with it, whoever gets the name. */
export const registerUserDelete: Register = (parent, deps) => {
  parent
    .command("delete")
    .description("delete a user and end its tokens; `disable` can be taken back")
    .argument("<name>", "name of the user")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      output.data(await api.deleteUser(name), () => `deleted ${name}`);
    });
};
