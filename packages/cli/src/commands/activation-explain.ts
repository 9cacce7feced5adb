import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { explainActivation } from "../explain/explain-activation.ts";
import type { Register } from "../register.ts";

/** `cs activation explain ID`: where the time of an activation went, and what it used. */
export const registerActivationExplain: Register = (parent, deps) => {
  parent
    .command("explain")
    .description("show where the time of an activation went, and why")
    .argument("<id>", "activation id")
    .action(async (id: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const record = await api.getActivation(id);
      if (output.json) return output.data(record, () => "");
      // The record is the answer; limits of the version only add to it, and may be gone or forbidden.
      const version = await api.getVersion(record.function, record.resolved_version).catch(() => undefined);
      output.raw(explainActivation(record, { version, columns: output.columns, style: output.style }));
    });
};
