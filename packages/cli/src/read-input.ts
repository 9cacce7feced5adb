import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { CliDeps } from "./cli-deps.ts";
import { CliError } from "./client/cli-error.ts";

/**
 * Reads what an option holds: the text itself, `@file`, or `-` for standard input.
 * @throws CliError where the file cannot be read
 */
export async function readInput(text: string, deps: Pick<CliDeps, "stdin" | "cwd">): Promise<Buffer> {
  if (text === "-" || text === "@-") return readAll(deps.stdin);
  if (!text.startsWith("@")) return Buffer.from(text);
  return readInputFile(resolve(deps.cwd, text.slice(1)));
}

/**
 * Reads the event of a call: JSON as it stands, `@file`, a path of a file that exists, or `-`.
 * @param text nothing means no event: `null` (or `fallback`)
 * @throws CliError where it is not JSON
 */
export async function readEvent(
  text: string | undefined,
  deps: Pick<CliDeps, "stdin" | "cwd">,
  fallback: unknown = null,
): Promise<unknown> {
  if (text === undefined) return fallback;
  if (/^(@|-$)/.test(text)) return parseEvent((await readInput(text, deps)).toString("utf8"), text);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const file = await readFile(resolve(deps.cwd, text), "utf8").catch(() => undefined);
    if (file !== undefined) return parseEvent(file, text);
    throw notJson(text, cause);
  }
}

function parseEvent(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw notJson(source, cause);
  }
}

const notJson = (source: string, cause: unknown): CliError =>
  new CliError(`the event ${source.length > 60 ? `${source.slice(0, 60)}…` : source} is not JSON`, {
    cause,
    hint: `Write --event '{"name": "you"}', --event @event.json or --event - for standard input.`,
  });

async function readInputFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CliError(`cannot read ${path}: ${cause instanceof Error ? cause.message : "no reason"}`, {
      cause,
    });
  }
}

async function readAll(source: CliDeps["stdin"]): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of source) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}
