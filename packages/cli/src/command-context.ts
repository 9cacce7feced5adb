import type { Command } from "commander";
import type { CliDeps } from "./cli-deps.ts";
import { type ApiClient, createApiClient } from "./client/api-client.ts";
import { CliError } from "./client/cli-error.ts";
import { readCredentials } from "./credentials.ts";
import { createOutput, type Output } from "./output/output.ts";
import { type GlobalOptions, type ResolvedScope, resolveScope } from "./scope.ts";

/** What a command works with once its options are known. */
export interface CommandContext {
  output: Output;
  scope: ResolvedScope;
  api: ApiClient;
}

/** @returns how this command speaks: JSON with `--json`, and wherever stdout is not a terminal */
export function outputOf(command: Command, deps: CliDeps): Output {
  const { json = false } = command.optsWithGlobals<GlobalOptions>();
  return createOutput({ ...deps, json: json || deps.stdout.isTTY !== true });
}

/** @returns how a command speaks that runs on and tells what it does: text for people unless `--json` is given */
export function runningOutputOf(command: Command, deps: CliDeps): Output {
  const { json = false } = command.optsWithGlobals<GlobalOptions>();
  return createOutput({ ...deps, json });
}

/** Reads the global options and the stored login, and makes the client of the control API. */
export async function createContext(command: Command, deps: CliDeps): Promise<CommandContext> {
  const stored = await readCredentials(deps.env);
  const scope = resolveScope(command.optsWithGlobals<GlobalOptions>(), deps.env, stored);
  return { output: outputOf(command, deps), scope, api: createApiClient(scope) };
}

/** A parser of an option: a whole number from `min` to `max`. */
export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new CliError(`${JSON.stringify(text)} is not a whole number from ${min} to ${max}`);
  };

/** A parser of an option: a list with commas, empty entries left out. */
export const commaList = (text: string): string[] =>
  text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");

/** A parser of an option: one of a closed set. */
export const oneOf =
  <T extends string>(values: readonly T[]) =>
  (text: string): T => {
    const found = values.find((value) => value === text);
    if (found === undefined) throw new CliError(`${JSON.stringify(text)} is none of ${values.join(", ")}`);
    return found;
  };
