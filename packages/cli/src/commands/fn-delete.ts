import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

/** `cs fn delete NAME`: takes a function out of service; its versions are kept. */
export const registerFnDelete: Register = (parent, deps) => {
  parent
    .command("delete")
    .description("delete a function; creating the name again brings its versions back")
    .argument("<name>", "name of the function")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const reply = await api.deleteFunction(name);
      output.data(reply, () => `deleted ${name}`);
    });
};
