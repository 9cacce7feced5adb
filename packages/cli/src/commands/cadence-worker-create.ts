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

/** More than the API's default: whoever types the command wants throughput, not a minimum. */
const POLLERS = 8;

/** `cs cadence worker create NAME --domain D --tasklist T --activity Type=fn@prod`: takes activities from now on. */
export const registerCadenceWorkerCreate: Register = (parent, deps) => {
  addCadenceWorkerOptions(
    groupOf(parent, "worker", "workers: which activities of Cadence run which functions")
      .command("create")
      .description("take the activity tasks of a task list and run functions for them")
      .argument("<name>", "name of the worker"),
  )
    .option("--paused", "make it, but let it take nothing yet")
    .action(async (name: string, options: CadenceWorkerOptions & { paused?: boolean }, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const { domain, tasklist, activity_map, worker_id = name, ...rest } = readCadenceWorkerOptions(options);
      if (domain === undefined || tasklist === undefined || activity_map === undefined) {
        throw new CliError("--domain, --tasklist or --activity is missing", {
          hint: "Write --domain orders --tasklist charge --activity Charge=charge@prod.",
        });
      }
      const paused = options.paused === true ? { enabled: false } : {};
      const pollers = { activity: POLLERS };
      const body = { name, domain, tasklist, worker_id, activity_map, pollers, ...rest, ...paused };
      printCadenceWorker(output, await api.createCadenceWorker(body));
    });
};
