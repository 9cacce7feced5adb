import type { Command } from "commander";
import { CliError } from "../client/cli-error.ts";
import { createContext } from "../command-context.ts";
import { addScheduleOptions, readScheduleOptions, type ScheduleOptions } from "../deploy/schedule-options.ts";
import { printSchedule } from "../output/schedule-text.ts";
import type { Register } from "../register.ts";

/** `cs schedule create NAME --every 60 --fn hello@prod`: makes a schedule. */
export const registerScheduleCreate: Register = (parent, deps) => {
  addScheduleOptions(
    parent
      .command("create")
      .description("run a function again and again: every so many seconds, or by a cron expression")
      .argument("<name>", "name of the schedule"),
  )
    .option("--paused", "make it, but let it run nothing yet")
    .action(async (name: string, options: ScheduleOptions & { paused?: boolean }, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const { ref, ...fields } = await readScheduleOptions(options, deps);
      if (ref === undefined) throw new CliError("--fn is missing", { hint: "Write --fn hello@prod." });
      const paused = options.paused === true ? { enabled: false } : {};
      printSchedule(output, await api.createSchedule({ name, ref, ...fields, ...paused }));
    });
};
