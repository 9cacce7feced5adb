import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { addDeadLetterFilter, type DeadLetterOptions, selectionOf } from "../dead-letter-options.ts";
import type { Register } from "../register.ts";

/** `cs dlq purge`: takes dead letters away for good. */
export const registerDlqPurge: Register = (parent, deps) => {
  const command = parent
    .command("purge")
    .description("take dead letters away for good: some, those of a function, or all")
    .argument("[ids...]", "ids of dead letters")
    .option("--all", "every one of the namespace");
  addDeadLetterFilter(command).action(async (ids: string[], options: DeadLetterOptions, command: Command) => {
    const { api, output } = await createContext(command, deps);
    const selection = selectionOf(ids, options);
    let purged = 0;
    for (let cursor: string | null | undefined; cursor !== null;) {
      const reply = await api.purgeDeadLetters(cursor === undefined ? selection : { ...selection, cursor });
      purged += reply.purged;
      cursor = reply.next_cursor;
    }
    output.data({ purged }, () => `${purged} taken away`);
  });
};
