import type { PowersDiff } from "@sous/contract";
import { CliError } from "../client/cli-error.ts";
import type { Output } from "../output/output.ts";
import { formatTable } from "../output/table.ts";

/** @returns what a version may do that the one before it may not, and the other way round, a line each */
export function powersTable({ against, added, removed }: PowersDiff, output: Output): string {
  const than = against === null ? "" : ` than v${against}`;
  if (added.length + removed.length === 0) {
    return against === null ? "powers: none" : `powers: no others${than}`;
  }
  const rows = [
    ...added.map(({ kind, what }) => ["+", kind, what]),
    ...removed.map(({ kind, what }) => ["-", kind, what]),
  ];
  const [, ...lines] = formatTable(["", "", ""], rows, "").split("\n");
  const painted = lines.map((line) => output.style(line.startsWith("+") ? "yellow" : "dim", `  ${line}`));
  return [`powers: ${added.length} more, ${removed.length} fewer${than}`, ...painted].join("\n");
}

/**
 * Shows the powers that a refused move of an alias asks for, before the error itself.
 * @returns never; for `catch`
 */
export const showRefusedPowers =
  (output: Output) =>
  (error: unknown): never => {
    const powers =
      error instanceof CliError && error.code === "CS_APPROVAL_REQUIRED" && error.details?.["powers"];
    if (isDiff(powers)) output.note(powersTable(powers, output));
    throw error;
  };

function isDiff(value: unknown): value is PowersDiff {
  const { added, removed } = (value ?? {}) as Partial<PowersDiff>;
  return Array.isArray(added) && Array.isArray(removed);
}
