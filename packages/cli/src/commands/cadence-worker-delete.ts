import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { groupOf, type Register } from "../register.ts";

/** `cs cadence worker delete NAME`: takes no more tasks; what it has taken goes on. */
export const registerCadenceWorkerDelete: Register = (parent, deps) => {
  groupOf(parent, "worker", "workers: which activities of Cadence run which functions")
    .command("delete")
    .description("delete a worker; what it has taken goes on")
    .argument("<name>", "name of the worker")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const reply = await api.deleteCadenceWorker(name);
      output.data(reply, () => `deleted ${name}`);
    });
};
