import type { Command } from "commander";
import { EXIT } from "../client/cli-error.ts";
import { outputOf } from "../command-context.ts";
import { printable } from "../output/printable.ts";
import type { DoctorCheck } from "../platform-port.ts";
import type { Register } from "../register.ts";

const MARKS = { ok: ["green", "✔"], warn: ["yellow", "!"], fail: ["red", "✖"] } as const;

/** `cs doctor`: what this machine offers, and what to do about what it does not. */
export const registerDoctor: Register = (parent, deps) => {
  parent
    .command("doctor")
    .description("check what this machine offers: Node, isolation, limits")
    .action(async (_options: object, command: Command) => {
      const output = outputOf(command, deps);
      const platform = await deps.loadPlatform();
      const report = await platform.inspectHost();
      const width = Math.max(0, ...report.checks.map((check) => check.name.length));
      const line = (check: DoctorCheck): string => {
        const [color, mark] = MARKS[check.status];
        const hint = check.hint === undefined ? "" : `\n  ${" ".repeat(width)}  ${printable(check.hint)}`;
        return `${output.style(color, mark)} ${check.name.padEnd(width)}  ${printable(check.detail)}${hint}`;
      };
      output.data(report, () => report.checks.map(line).join("\n"));
      if (report.checks.some((check) => check.status === "fail")) deps.exitWith(EXIT.client);
    });
};
