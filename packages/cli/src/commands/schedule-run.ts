import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

/** `cs schedule run NAME`: runs it once now, beside its ticks. */
export const registerScheduleRun: Register = (parent, deps) => {
  parent
    .command("run")
    .description("run what a schedule runs, now and beside its ticks")
    .argument("<name>", "name of the schedule")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const reply = await api.runSchedule(name);
      output.data(reply, () => `queued\n  cs activation get ${reply.activation_id}`);
    });
};
