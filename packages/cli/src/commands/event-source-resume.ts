import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { printEventSource } from "../output/event-source-text.ts";
import type { Register } from "../register.ts";

/** `cs event-source resume NAME`: goes on from where it was. */
export const registerEventSourceResume: Register = (parent, deps) => {
  parent
    .command("resume")
    .description("let a paused event source go on from where it was")
    .argument("<name>", "name of the event source")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      printEventSource(output, await api.pauseEventSource(name, "resume"));
    });
};
