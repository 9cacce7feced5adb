import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { followActivation, printActivationLogs } from "../logs/activation-logs.ts";
import type { Register } from "../register.ts";

/** `cs activation logs ID`: what one activation logged, and with `--follow` what it is logging. */
export const registerActivationLogs: Register = (parent, deps) => {
  parent
    .command("logs")
    .description("show what one activation logged")
    .argument("<id>", "activation id")
    .option("--follow", "go on until it ends")
    .action(async (id: string, options: { follow?: boolean }, command: Command) => {
      const { api, output } = await createContext(command, deps);
      if (options.follow !== true) return printActivationLogs({ api, output, id });
      const status = await followActivation({ api, output, id, signal: deps.stopSignal() });
      if (status !== undefined && status !== "" && !output.json) output.note(`ended: ${status}`);
    });
};
