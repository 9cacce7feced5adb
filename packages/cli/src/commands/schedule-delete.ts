import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

/** `cs schedule delete NAME`: no more ticks; what it has started goes on. */
export const registerScheduleDelete: Register = (parent, deps) => {
  parent
    .command("delete")
    .description("delete a schedule; what it has started goes on")
    .argument("<name>", "name of the schedule")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const reply = await api.deleteSchedule(name);
      output.data(reply, () => `deleted ${name}`);
    });
};
