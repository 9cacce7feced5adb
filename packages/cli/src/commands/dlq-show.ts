import { describeDestination } from "@sous/contract";
import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { formatTarget } from "../function-ref.ts";
import { printable } from "../output/printable.ts";
import { formatFields } from "../output/table.ts";
import { formatTime } from "../output/units.ts";
import type { Register } from "../register.ts";

/** `cs dlq show ID`: one dead letter with its event and everything that was tried. */
export const registerDlqShow: Register = (parent, deps) => {
  parent
    .command("show")
    .description("show a dead letter: its event, and every attempt with its error")
    .argument("<id>", "id of the dead letter")
    .action(async (id: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const letter = await api.getDeadLetter(id);
      const { ref, attempts = [], condition, destination } = letter;
      const target = ref.alias === undefined ? ref.version && { version: ref.version } : { alias: ref.alias };
      output.data(letter, () =>
        [
          formatFields([
            ["id", letter.id],
            ["kind", letter.kind],
            ["function", `${letter.function}@${formatTarget(target || undefined)} v${ref.version ?? "?"}`],
            ...(destination === undefined
              ? []
              : [["told", `${condition} ${describeDestination(destination)}`] as const]),
            ["activation", letter.activation_id],
            ["by", letter.principal.sub],
            ["queued", formatTime(letter.enqueued_at_ms)],
            ["dead since", formatTime(letter.dead_at_ms)],
            ["reason", letter.reason],
          ]),
          ...attempts.map(({ attempt, status, error }) =>
            printable(`  attempt ${attempt}: ${status}: ${error?.type ?? ""} ${error?.message ?? ""}`),
          ),
          "",
          printable(JSON.stringify(letter.event, null, 2)),
        ].join("\n"),
      );
      if (output.json) return;
      output.note(`more: cs activation explain ${letter.activation_id}; back: cs dlq redrive ${id}`);
    });
};
