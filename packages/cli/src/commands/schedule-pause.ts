import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

/** `cs schedule pause NAME`: no more ticks until it is resumed. */
export const registerSchedulePause: Register = (parent, deps) => {
  parent
    .command("pause")
    .description("let a schedule run nothing until it is resumed")
    .argument("<name>", "name of the schedule")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      output.data(await api.patchSchedule(name, { enabled: false }), () => `${name} is paused`);
    });
};
