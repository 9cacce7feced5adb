import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

/** `cs activation cancel ID`: asks for the early end of an activation. */
export const registerActivationCancel: Register = (parent, deps) => {
  parent
    .command("cancel")
    .description("end an activation early")
    .argument("<id>", "activation id")
    .action(async (id: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const reply = await api.cancelActivation(id);
      output.data(reply, () => `asked to cancel; it is ${reply.status}`);
    });
};
