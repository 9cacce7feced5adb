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

/** Prints one line of a log: NDJSON, or for people the line with its level in colour. */
export function printLogLine(output: Output, line: LogLine, prefix = ""): void {
  const { activation_id, index, text } = line;
  output.item({ activation_id, index, text }, () => {
    const level = /^\[(\w+)\]/.exec(text)?.[1] ?? "";
    const style = LEVEL_STYLE[level];
    const shown = printable(text.trimEnd());
    return prefix + (style === undefined ? shown : output.style(style, shown));
  });
}
