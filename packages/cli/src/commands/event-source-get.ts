import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { printEventSource } from "../output/event-source-text.ts";
import type { Register } from "../register.ts";

/** `cs event-source get NAME`: one event source. */
export const registerEventSourceGet: Register = (parent, deps) => {
  parent
    .command("get")
    .description("show an event source")
    .argument("<name>", "name of the event source")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      printEventSource(output, await api.getEventSource(name));
    });
};
