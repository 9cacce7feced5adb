import type { Command } from "commander";
import { CliError } from "../client/cli-error.ts";
import { createContext } from "../command-context.ts";
import { addScheduleOptions, readScheduleOptions, type ScheduleOptions } from "../deploy/schedule-options.ts";
import { printSchedule } from "../output/schedule-text.ts";
import type { Register } from "../register.ts";

/** `cs schedule update NAME`: changes what is given; the schedule starts again from now. */
export const registerScheduleUpdate: Register = (parent, deps) => {
  addScheduleOptions(
    parent
      .command("update")
      .description("change a schedule; it starts again from now")
      .argument("<name>", "name of the schedule"),
  ).action(async (name: string, options: ScheduleOptions, command: Command) => {
    const { api, output } = await createContext(command, deps);
    const changes = await readScheduleOptions(options, deps);
    if (Object.keys(changes).length === 0) {
      throw new CliError("there is nothing to change", { hint: "Name a field, as --every 30." });
    }
    printSchedule(output, await api.patchSchedule(name, changes));
  });
};
