import type { Output } from "../output/output.ts";
import { printable } from "../output/printable.ts";

export interface LogLine {
  activation_id: string;
  index: number;
  text: string;
}

const LEVEL_STYLE: Readonly<Record<string, "red" | "yellow" | "dim">> = {
  error: "red",
  warn: "yellow",
  debug: "dim",
};

/** Stands before each further line of an entry: what a function logs is no beginning of an entry, nor a header. */
const CONTINUED = "  | ";

/** Prints one entry of a log: NDJSON, or for people its text with its level in colour, further lines marked as such. */
export function printLogLine(output: Output, line: LogLine, prefix = ""): void {
  const { activation_id, index, text } = line;
  output.item({ activation_id, index, text }, () => {
    const level = /^\[(\w+)\]/.exec(text)?.[1] ?? "";
    const style = LEVEL_STYLE[level];
    const lines = printable(text.trimEnd()).split("\n");
    const shown = style === undefined ? lines : lines.map((one) => output.style(style, one));
    return prefix + shown.join(`\n${prefix}${CONTINUED}`);
  });
}
