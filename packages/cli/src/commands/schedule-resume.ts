import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { printSchedule } from "../output/schedule-text.ts";
import type { Register } from "../register.ts";

/** `cs schedule resume NAME`: goes on from now. */
export const registerScheduleResume: Register = (parent, deps) => {
  parent
    .command("resume")
    .description("let a paused schedule go on, from now")
    .argument("<name>", "name of the schedule")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      printSchedule(output, await api.patchSchedule(name, { enabled: true }));
    });
};
