import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

/** `cs secret delete NAME`: takes a secret away from every version that names it. */
export const registerSecretDelete: Register = (parent, deps) => {
  parent
    .command("delete")
    .description("delete a secret; versions that name it go on without")
    .argument("<name>", "name of the secret")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const reply = await api.deleteSecret(name);
      output.data(reply, () => `deleted ${name}`);
    });
};
