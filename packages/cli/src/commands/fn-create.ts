import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

interface CreateOptions {
  runtime: string;
  entry?: string;
  handler?: string;
}

/** `cs fn create NAME`: makes a function without versions. */
export const registerFnCreate: Register = (parent, deps) => {
  parent
    .command("create")
    .description("create a function, still without a version")
    .argument("<name>", "name of the function")
    .option("--runtime <runtime>", "runtime of its versions", "cs-js")
    .option("--entry <path>", "file that runs, inside the bundle")
    .option("--handler <name>", "export that is called")
    .action(async (name: string, options: CreateOptions, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const { runtime, entry, handler } = options;
      const record = await api.createFunction({
        name,
        runtime,
        ...(entry === undefined ? {} : { entry }),
        ...(handler === undefined ? {} : { handler }),
      });
      output.data(record, () => `created ${record.name}`);
      if (!output.json) output.note(`next: cs fn deploy PATH --name ${name}`);
    });
};
