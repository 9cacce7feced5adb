import type { Command } from "commander";
import { CliError } from "../client/cli-error.ts";
import { createContext } from "../command-context.ts";
import {
  addEventSourceOptions,
  addRemovalOptions,
  type EventSourceUpdateOptions,
  readEventSourceOptions,
  splitRemovals,
} from "../deploy/event-source-options.ts";
import { printEventSource } from "../output/event-source-text.ts";
import type { Register } from "../register.ts";

/** `cs event-source update NAME`: changes what is given; it goes on from where it was. */
export const registerEventSourceUpdate: Register = (parent, deps) => {
  const update = addEventSourceOptions(
    parent
      .command("update")
      .description("change an event source; it goes on from where it was")
      .argument("<name>", "name of the event source"),
  );
  addRemovalOptions(update).action(
    async (name: string, options: EventSourceUpdateOptions, command: Command) => {
      if (Object.keys(options).length === 0) {
        throw new CliError("there is nothing to change", { hint: "Name a field, as --batch-size 50." });
      }
      const { api, output } = await createContext(command, deps);
      const before = await api.getEventSource(name);
      const { given, removed } = splitRemovals(options);
      const { type, ...changes } = await readEventSourceOptions(given, before.type, deps);
      if (type !== undefined && type !== before.type) {
        throw new CliError("the type of an event source cannot be changed", {
          hint: "Delete it and make another.",
        });
      }
      // Of the part only what was given changes; the generation makes sure that nobody else's change is undone.
      const part = changes[before.type];
      const whole = part === undefined ? {} : { [before.type]: { ...before[before.type], ...part } };
      const body = { ...changes, ...whole, ...removed, generation: before.generation };
      printEventSource(output, await api.patchEventSource(name, body));
    },
  );
};
