import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { printCadenceWorker } from "../output/cadence-worker-text.ts";
import { groupOf, type Register } from "../register.ts";

/** `cs cadence worker resume NAME`: takes tasks again. */
export const registerCadenceWorkerResume: Register = (parent, deps) => {
  groupOf(parent, "worker", "workers: which activities of Cadence run which functions")
    .command("resume")
    .description("let a paused worker take tasks again")
    .argument("<name>", "name of the worker")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      printCadenceWorker(output, await api.patchCadenceWorker(name, { enabled: true }));
    });
};
