import type { Command } from "commander";
import { CliError } from "../client/cli-error.ts";
import { createContext } from "../command-context.ts";
import { readEvent } from "../read-input.ts";
import type { Register } from "../register.ts";
import { parseRef, sayRedriven } from "./dlq-redrive.ts";

/** `cs dlq edit ID --event JSON`: puts a failed call back with another event. */
export const registerDlqEdit: Register = (parent, deps) => {
  parent
    .command("edit")
    .description("put a failed call back with another event, in your name")
    .argument("<id>", "id of the dead letter")
    .requiredOption("--event <json>", "the event instead, as JSON, @file, or - for standard input")
    .option(
      "--ref <ref>",
      "alias or version to run (what its alias names now, else the version it had)",
      parseRef,
    )
    .action(
      async (id: string, options: { event: string; ref?: ReturnType<typeof parseRef> }, command: Command) => {
        const { api, output } = await createContext(command, deps);
        const event = await readEvent(options.event, deps);
        if (event === undefined) throw new CliError("the event is missing");
        const { ref } = options;
        const reply = await api.redriveDeadLetters({
          ids: [id],
          event,
          ...(ref === undefined ? {} : { ref }),
        });
        sayRedriven(reply, output, deps);
      },
    );
};
