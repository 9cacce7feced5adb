import { LIMITS, type Limits } from "@sous/contract";
import type { LimitNote } from "./limit-note.ts";
import { LIMIT_NOTES } from "./limit-notes.ts";

/** @returns the table of SPECIFICATION.md: every limit with its value, what it bounds and the test that holds it */
export function limitsTable(): string {
  const rows = (Object.keys(LIMITS) as (keyof Limits)[]).map((name) => {
    const note = LIMIT_NOTES[name];
    const past = note.past === "" ? "–" : note.past;
    return `| \`${name}\` | ${valueOf(name, LIMITS[name])} | ${note.what} | ${past} | ${heldBy(note)} |`;
  });
  return ["| limit | value | bounds | past it | held by |", "|---|---|---|---|---|", ...rows].join("\n");
}

function heldBy({ test, code }: LimitNote): string {
  return test === undefined ? `\`${code ?? ""}\` (no test)` : `\`${test[0]}\`, "${test[1]}"`;
}

const STEPS = {
  bytes: [
    ["MiB", 1024 * 1024],
    ["KiB", 1024],
    ["B", 1],
  ],
  ms: [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["s", 1000],
    ["ms", 1],
  ],
} as const;

/** Writes a number in the largest unit it is a whole number of; the unit stands last in the limit's name. */
function valueOf(name: string, value: number): string {
  const steps = /Bytes(Max)?$/.test(name) ? STEPS.bytes : name.endsWith("Ms") ? STEPS.ms : undefined;
  if (steps === undefined) {
    const unit = name.endsWith("Rps") ? " a second" : name.endsWith("Mb") ? " MiB" : "";
    return `${value.toLocaleString("en")}${unit}`;
  }
  const [unit, size] = steps.find(([, size]) => value % size === 0) ?? steps[steps.length - 1] ?? ["", 1];
  return `${value / size} ${unit}`;
}
