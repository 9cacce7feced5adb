import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

/** `cs event-source pause NAME`: reads nothing until it is resumed. */
export const registerEventSourcePause: Register = (parent, deps) => {
  parent
    .command("pause")
    .description("let an event source read nothing until it is resumed")
    .argument("<name>", "name of the event source")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      output.data(await api.pauseEventSource(name, "pause"), () => `${name} is paused`);
    });
};
