import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

/** `cs event-source delete NAME`: reads no more, and forgets where it was; what it has started goes on. */
export const registerEventSourceDelete: Register = (parent, deps) => {
  parent
    .command("delete")
    .description("delete an event source and forget where it was; what it has started goes on")
    .argument("<name>", "name of the event source")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const reply = await api.deleteEventSource(name);
      output.data(reply, () => `deleted ${name}`);
    });
};
