import type { Command } from "commander";
import { CliError } from "../client/cli-error.ts";
import { createContext } from "../command-context.ts";
import {
  addEventSourceOptions,
  addTypeOption,
  type EventSourceOptions,
  readEventSourceOptions,
} from "../deploy/event-source-options.ts";
import { printEventSource } from "../output/event-source-text.ts";
import type { Register } from "../register.ts";

/** `cs event-source create NAME --type sqs --queue-url … --fn hello@prod`: makes an event source. */
export const registerEventSourceCreate: Register = (parent, deps) => {
  const command = parent
    .command("create")
    .description("run a function by what comes from a topic, webhook, queue or stream")
    .argument("<name>", "name of the event source");
  addEventSourceOptions(addTypeOption(command))
    .option("--paused", "make it, but let it read nothing yet")
    .action(async (name: string, options: EventSourceOptions & { paused?: boolean }, made: Command) => {
      const { api, output } = await createContext(made, deps);
      const {
        ref,
        type = options.type,
        ...fields
      } = await readEventSourceOptions(options, options.type, deps);
      if (type === undefined) throw new CliError("--type is missing", { hint: "Write --type sqs." });
      if (ref === undefined) throw new CliError("--fn is missing", { hint: "Write --fn hello@prod." });
      const paused = options.paused === true ? { enabled: false } : {};
      printEventSource(output, await api.createEventSource({ name, ...fields, type, ref, ...paused }));
    });
};
