import type { Command } from "commander";
import type { CliDeps } from "../cli-deps.ts";
import { CliError } from "../client/cli-error.ts";
import { createContext } from "../command-context.ts";
import { readInput } from "../read-input.ts";
import type { Register } from "../register.ts";

/** Shorter ones cannot be told from ordinary words: the platform leaves them in logs. */
const REDACTED_CHARACTERS_MIN = 6;

/** `cs secret set NAME`: sets a secret from standard input or a file, never from the command line. */
export const registerSecretSet: Register = (parent, deps) => {
  parent
    .command("set")
    .description("set a secret; the value comes from standard input or a file")
    .argument("<name>", "name of the secret")
    .option("--value-file <file>", "file that holds the value, taken as it is")
    .action(async (name: string, options: { valueFile?: string }, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const value = await readValue(name, options.valueFile, deps);
      const record = await api.putSecret(name, value);
      output.data(record, () => `${name} is set (value ${record.version})`);
      if (value.length < REDACTED_CHARACTERS_MIN) {
        output.warn(`values under ${REDACTED_CHARACTERS_MIN} characters are not taken out of logs`);
      }
    });
};

async function readValue(name: string, file: string | undefined, deps: CliDeps): Promise<string> {
  if (file !== undefined) return textOf(await readInput(`@${file}`, deps), name);
  if (deps.stdin.isTTY === true) return await promptFor(name, deps);
  // Who pipes it in with `echo` does not mean the line break.
  return textOf(await readInput("-", deps), name).replace(/(\r?\n)+$/, "");
}

function textOf(bytes: Buffer, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new CliError(`the value of ${name} is not text in UTF-8`, {
      cause,
      hint: "Encode bytes first: `base64 -w0 FILE | cs secret set NAME`.",
    });
  }
}

const ENTER = /^[\r\n]$/;
const INTERRUPTED = "\u0003";
const ERASED = new Set(["\b", "\u007f"]);

/** Reads a line from the keyboard without showing it. */
async function promptFor(name: string, deps: CliDeps): Promise<string> {
  deps.stderr.write(`value of ${name}: `);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let typed: string[] = [];
  const stop = deps.onKey((key) => {
    if (ENTER.test(key)) resolve(typed.join(""));
    else if (key === INTERRUPTED) reject(new DOMException("interrupted", "AbortError"));
    else if (ERASED.has(key)) typed = typed.slice(0, -1);
    else typed.push(key);
  });
  if (stop === undefined) {
    throw new CliError("there is no terminal to ask on", { hint: "Pipe the value in, or use --value-file." });
  }
  try {
    return await promise;
  } finally {
    stop();
    deps.stderr.write("\n");
  }
}
