import { CommanderError } from "commander";
import type { CliDeps } from "./cli-deps.ts";
import { CliError, EXIT } from "./client/cli-error.ts";
import { printError } from "./output/output.ts";
import { createProgram } from "./program.ts";

/**
 * Runs one command line.
 * @param argv words after `cs`
 * @returns the exit code of SPEC 14
 */
export async function runCli(argv: readonly string[], deps: CliDeps): Promise<number> {
  let exitCode: number = EXIT.ok;
  const ownDeps: CliDeps = { ...deps, exitWith: (code) => void (exitCode = code) };
  try {
    // `--version` is an option of `fn alias set`; the program's own counts only as the very first word.
    const words = /^(--version|-V)$/.test(argv[0] ?? "") ? ["version"] : [...argv];
    const program = await createProgram(words, ownDeps);
    await program.parseAsync(words, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (error instanceof Error && error.name === "AbortError") return 130;
    const told = error instanceof CliError ? error : fromUnknown(error);
    printError(told, deps.stderr, deps.env);
    if (deps.env["CS_DEBUG"] && error instanceof Error) deps.stderr.write(`${error.stack}\n`);
    return told.exitCode;
  }
}

/** An error of the platform's own code keeps its code; anything else is a fault of ours, and says so. */
function fromUnknown(error: unknown): CliError {
  if (!(error instanceof Error)) return new CliError(String(error), { cause: error });
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const status = "status" in error && typeof error.status === "number" ? error.status : undefined;
  const exitCode = status !== undefined && status >= 500 ? EXIT.server : EXIT.client;
  if (code === "EADDRINUSE") {
    return new CliError(error.message, {
      cause: error,
      code,
      hint: "Stop what listens there, or choose another --port.",
    });
  }
  const hint = code === undefined ? "Set CS_DEBUG=1 to see where it comes from." : undefined;
  return new CliError(error.message, {
    cause: error,
    exitCode,
    ...(code === undefined ? {} : { code }),
    ...(hint === undefined ? {} : { hint }),
  });
}
