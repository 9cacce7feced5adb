import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { printSchedule } from "../output/schedule-text.ts";
import type { Register } from "../register.ts";

/** `cs schedule get NAME`: one schedule with its next five runs. */
export const registerScheduleGet: Register = (parent, deps) => {
  parent
    .command("get")
    .description("show a schedule and its next five runs")
    .argument("<name>", "name of the schedule")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      printSchedule(output, await api.getSchedule(name));
    });
};
