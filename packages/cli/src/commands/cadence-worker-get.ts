import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { printCadenceWorker } from "../output/cadence-worker-text.ts";
import { groupOf, type Register } from "../register.ts";

/** `cs cadence worker get NAME`: one worker, and what will not work yet. */
export const registerCadenceWorkerGet: Register = (parent, deps) => {
  groupOf(parent, "worker", "workers: which activities of Cadence run which functions")
    .command("get")
    .description("show a worker, and what will not work yet")
    .argument("<name>", "name of the worker")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      printCadenceWorker(output, await api.getCadenceWorker(name));
    });
};
