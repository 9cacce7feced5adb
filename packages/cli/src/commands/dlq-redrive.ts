import type { RedriveReply, RefTarget } from "@sous/contract";
import type { Command } from "commander";
import type { CliDeps } from "../cli-deps.ts";
import { EXIT } from "../client/cli-error.ts";
import { createContext } from "../command-context.ts";
import { addDeadLetterFilter, type DeadLetterOptions, selectionOf } from "../dead-letter-options.ts";
import type { Output } from "../output/output.ts";
import { formatTable } from "../output/table.ts";
import type { Register } from "../register.ts";

interface RedriveOptions extends DeadLetterOptions {
  ref?: RefTarget;
}

/** A parser of an option: an alias or a version. */
export const parseRef = (text: string): RefTarget =>
  /^\d+$/.test(text) ? { version: Number(text) } : { alias: text };

/** `cs dlq redrive`: puts dead letters back. */
export const registerDlqRedrive: Register = (parent, deps) => {
  const command = parent
    .command("redrive")
    .description("put dead letters back: some, those of a function, or all")
    .argument("[ids...]", "ids of dead letters")
    .option("--all", "every one of the namespace")
    .option("--ref <ref>", "alias or version to run (what each one's alias names now)", parseRef);
  addDeadLetterFilter(command).action(async (ids: string[], options: RedriveOptions, command: Command) => {
    const { api, output } = await createContext(command, deps);
    const selection = selectionOf(ids, options);
    const { ref } = options;
    const body = { ...selection, ...(ref === undefined ? {} : { ref }) };
    const all: RedriveReply = { redriven: 0, items: [], failed: [], more: false, next_cursor: null };
    for (let cursor: string | null | undefined; cursor !== null;) {
      const reply = await api.redriveDeadLetters(cursor === undefined ? body : { ...body, cursor });
      all.redriven += reply.redriven;
      all.items.push(...reply.items);
      all.failed.push(...reply.failed);
      cursor = reply.next_cursor;
      if (cursor !== null && !output.json) output.note(`${all.redriven} put back, there are more`);
    }
    sayRedriven(all, output, deps);
  });
};

/** Tells what went back and what did not; the exit code is 1 where something did not. */
export function sayRedriven(reply: RedriveReply, output: Output, deps: Pick<CliDeps, "exitWith">): void {
  const { items, failed, redriven } = reply;
  output.data(reply, () => {
    const lines = [`${redriven} put back`];
    if (items.length > 0) {
      const rows = items.map(({ id, activation_id }) => [id, activation_id]);
      lines.push(formatTable(["DEAD LETTER", "ACTIVATION"], rows, ""));
    }
    if (failed.length > 0) {
      const rows = failed.map(({ id, code, message }) => [id, code, message]);
      lines.push(`${failed.length} not put back`, formatTable(["DEAD LETTER", "CODE", "WHY"], rows, ""));
    }
    return lines.join("\n");
  });
  if (failed.length > 0) deps.exitWith(EXIT.client);
}
