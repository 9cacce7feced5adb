import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { groupOf, type Register } from "../register.ts";

/** `cs cadence worker pause NAME`: takes no more tasks until it is resumed. */
export const registerCadenceWorkerPause: Register = (parent, deps) => {
  groupOf(parent, "worker", "workers: which activities of Cadence run which functions")
    .command("pause")
    .description("let a worker take no more tasks until it is resumed")
    .argument("<name>", "name of the worker")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      output.data(await api.patchCadenceWorker(name, { enabled: false }), () => `${name} is paused`);
    });
};
