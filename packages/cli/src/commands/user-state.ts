import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

/** `cs user disable NAME`: none of the user's tokens counts until it is enabled. */
export const registerUserDisable: Register = (parent, deps) => {
  parent
    .command("disable")
    .description("let none of a user's tokens count; other servers may remember them for a minute")
    .argument("<name>", "name of the user")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      output.data(await api.patchUser(name, { state: "disabled" }), () => `${name} is disabled`);
    });
};

/** `cs user enable NAME`: its tokens count again. */
export const registerUserEnable: Register = (parent, deps) => {
  parent
    .command("enable")
    .description("let a user's tokens count again")
    .argument("<name>", "name of the user")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      output.data(await api.patchUser(name, { state: "active" }), () => `${name} is active`);
    });
};
