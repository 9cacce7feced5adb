import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { printUser } from "../output/user-text.ts";
import type { Register } from "../register.ts";

/** `cs user get NAME`: one user. */
export const registerUserGet: Register = (parent, deps) => {
  parent
    .command("get")
    .description("show a user")
    .argument("<name>", "name of the user")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      printUser(output, await api.getUser(name));
    });
};
