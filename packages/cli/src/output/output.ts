import { styleText } from "node:util";
import type { TextSink } from "../cli-deps.ts";
import type { CliError } from "../client/cli-error.ts";
import { printable } from "./printable.ts";

type Style = Parameters<typeof styleText>[0];

/** How a command speaks: data on stdout, everything else on stderr. */
export interface Output {
  /** Whether stdout carries JSON. */
  readonly json: boolean;
  /** Characters of a line of the terminal (100 where there is none). */
  readonly columns: number;
  /** Prints the one answer of a command. */
  data(value: unknown, human: () => string): void;
  /** Prints one of many: a line of NDJSON, or a line for people. */
  item(value: unknown, human: () => string): void;
  /** Prints text to stdout in every mode, as `http invoke` does. */
  raw(text: string): void;
  /** Progress and advice, for people, on stderr. */
  note(text: string): void;
  warn(text: string): void;
  /** Colours text where stdout is a terminal that wants colour. */
  style(style: Style, text: string): string;
}

export interface OutputOptions {
  stdout: TextSink;
  stderr: TextSink;
  env: Readonly<Record<string, string | undefined>>;
  /** Whether stdout carries JSON. */
  json: boolean;
}

export function createOutput({ stdout, stderr, env, json }: OutputOptions): Output {
  const color = wantsColor(stdout, env);
  const line = (text: string): void => void stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  return {
    json,
    columns: stdout.columns ?? 100,
    data: (value, human) =>
      // A person who asks for --json reads it; a program does not need the space.
      line(json ? JSON.stringify(value, null, stdout.isTTY === true ? 2 : undefined) : human()),
    item: (value, human) => line(json ? JSON.stringify(value) : human()),
    raw: line,
    note: (text) => void stderr.write(`${text}\n`),
    warn: (text) => void stderr.write(`${paint(stderr, env, "yellow", "warning:")} ${printable(text)}\n`),
    style: (style, text) => (color ? styleText(style, text, { validateStream: false }) : text),
  };
}

/** Prints why a command failed: the message, then code, request id and what to do. */
export function printError(
  error: CliError,
  stderr: TextSink,
  env: Readonly<Record<string, string | undefined>>,
): void {
  const lines = [`${paint(stderr, env, "red", "error:")} ${printable(error.message)}`];
  if (error.code !== undefined) lines.push(`  code        ${printable(error.code)}`);
  if (error.requestId !== undefined) lines.push(`  request id  ${printable(error.requestId)}`);
  for (const issue of issuesOf(error.details)) lines.push(`  at          ${printable(issue)}`);
  if (error.hint !== undefined) lines.push(`  hint        ${printable(error.hint)}`);
  stderr.write(`${lines.join("\n")}\n`);
}

/** Validation errors say each field in their details; the message names only the first. */
function issuesOf(details: Record<string, unknown> | undefined): string[] {
  const issues: unknown = details?.["issues"];
  if (!Array.isArray(issues) || issues.length < 2) return [];
  return issues.map(
    (issue: { path?: unknown; message?: unknown } | null) =>
      `${String(issue?.path)} ${String(issue?.message)}`,
  );
}

function paint(
  sink: TextSink,
  env: Readonly<Record<string, string | undefined>>,
  style: Style,
  text: string,
): string {
  return wantsColor(sink, env) ? styleText(style, text, { validateStream: false }) : text;
}

/** @see https://no-color.org */
function wantsColor(sink: TextSink, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env["NO_COLOR"]) return false;
  if (env["FORCE_COLOR"]) return env["FORCE_COLOR"] !== "0";
  return sink.isTTY === true && env["TERM"] !== "dumb";
}
