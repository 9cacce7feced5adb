import type { Command } from "commander";
import { CliError } from "../client/cli-error.ts";
import { createContext } from "../command-context.ts";
import {
  addCadenceWorkerOptions,
  type CadenceWorkerOptions,
  readCadenceWorkerOptions,
} from "../deploy/cadence-worker-options.ts";
import { printCadenceWorker } from "../output/cadence-worker-text.ts";
import { groupOf, type Register } from "../register.ts";

/** `cs cadence worker update NAME`: changes what is given; `--activity` replaces the whole map. */
export const registerCadenceWorkerUpdate: Register = (parent, deps) => {
  addCadenceWorkerOptions(
    groupOf(parent, "worker", "workers: which activities of Cadence run which functions")
      .command("update")
      .description("change a worker; what it has taken goes on")
      .argument("<name>", "name of the worker"),
  ).action(async (name: string, options: CadenceWorkerOptions, command: Command) => {
    const { api, output } = await createContext(command, deps);
    const fields = readCadenceWorkerOptions(options);
    if (Object.keys(fields).length === 0) {
      throw new CliError("there is nothing to change", {
        hint: "Give an option, such as --max-inflight 64.",
      });
    }
    printCadenceWorker(output, await api.patchCadenceWorker(name, fields));
  });
};
