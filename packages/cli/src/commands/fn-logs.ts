import type { Command } from "commander";
import { createContext, wholeNumber } from "../command-context.ts";
import { followFunction, printFunctionLogs } from "../logs/function-logs.ts";
import { parseSince } from "../logs/parse-since.ts";
import type { Register } from "../register.ts";

interface LogsOptions {
  since?: string;
  follow?: boolean;
  limit: number;
}

/** `cs fn logs NAME`: what the last activations of a function logged. */
export const registerFnLogs: Register = (parent, deps) => {
  parent
    .command("logs")
    .description("show what a function logged")
    .argument("<name>", "name of the function")
    .option("--follow", "go on with what is logged from now on")
    .option("--since <when>", "from this time on: 10m, 2h, 3d, or epoch milliseconds")
    .option("--limit <n>", "most activations to show", wholeNumber(1, 500), 20)
    .action(async (name: string, options: LogsOptions, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const since = options.since === undefined ? undefined : parseSince(options.since, deps.now());
      if (options.follow === true)
        await followFunction({ api, output, name, since, signal: deps.stopSignal() });
      else await printFunctionLogs({ api, output, name, since, limit: options.limit });
    });
};
