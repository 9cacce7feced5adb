import { basename } from "node:path";
import type { Command } from "commander";
import { EXIT } from "../client/cli-error.ts";
import { oneOf, outputOf, wholeNumber } from "../command-context.ts";
import { readFunctionFolder } from "../deploy/function-folder.ts";
import { locateFolder } from "../deploy/locate-folder.ts";
import { syntaxWarnings } from "../deploy/syntax-warnings.ts";
import type { Output } from "../output/output.ts";
import { printable } from "../output/printable.ts";
import { formatTable } from "../output/table.ts";
import { formatMs } from "../output/units.ts";
import type { LocalRun, ObservedPowers } from "../platform-port.ts";
import { readEvent } from "../read-input.ts";
import type { Register } from "../register.ts";

interface TestOptions {
  event?: string;
  path?: string;
  timeoutMs?: number;
  /** `true` where no mode is given. */
  observe?: true | "deny" | "allow";
}

/** `cs fn test NAME`: runs a folder once in the platform's own runtime, without a platform. */
export const registerFnTest: Register = (parent, deps) => {
  parent
    .command("test")
    .description("run a function once in the real runtime, without a server")
    .argument("[name]", "name of the function (the folder's)")
    .option("--event <json>", "event as JSON, @file, or - for standard input (null)")
    .option("--path <folder>", "folder with manifest.json (./NAME, or here)")
    .option("--timeout-ms <ms>", "instead of the manifest's", wholeNumber(1, 900_000))
    .option(
      "--observe [mode]",
      "deny every power and say which the function needs; `allow` lets keys (in memory) and topics through",
      oneOf(["deny", "allow"]),
    )
    .action(async (name: string | undefined, options: TestOptions, command: Command) => {
      const output = outputOf(command, deps);
      const event = await readEvent(options.event, deps);
      const folder = await readFunctionFolder(await locateFolder(deps.cwd, name ?? ".", options.path));
      for (const warning of syntaxWarnings(folder)) output.warn(warning);
      const platform = await deps.loadPlatform();
      const run = await platform.runLocally({
        folder: folder.path,
        name: name === undefined ? folder.name : basename(name),
        event,
        ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
        ...(options.observe === undefined ? {} : { observe: modeOf(options.observe) }),
      });
      output.data(run, () => describe(run, output));
      if (run.status !== "success") deps.exitWith(EXIT.functionFailed);
    });
};

const modeOf = (given: true | "deny" | "allow"): "deny" | "allow" => (given === true ? "deny" : given);

/** @returns the calls as a table, then the manifest's part and the option that would have allowed them */
function describeObserved({ calls, capabilities, secrets }: ObservedPowers): string {
  if (calls.length === 0) return "it asked for no power";
  const rows = calls.map(({ kind, what, count, allowed }) => [
    kind,
    what,
    String(count),
    allowed ? "allowed" : "denied",
  ]);
  const lines = [
    formatTable(["POWER", "CALL", "TIMES", "ANSWER"], rows, ""),
    "",
    "the smallest capabilities for manifest.json:",
    JSON.stringify({ capabilities }, null, 2).slice(2, -2),
  ];
  if (secrets.length > 0) lines.push("", `publish it with --secrets ${printable(secrets.join(","))}`);
  return lines.join("\n");
}

function describe(run: LocalRun, output: Output): string {
  const color = run.status === "success" ? "green" : "red";
  const lines = run.logs.map((line) => output.style("dim", printable(line)));
  lines.push(`${output.style(color, run.status)} in ${formatMs(run.duration_ms)}`);
  if (run.usage !== undefined) {
    const used = Object.entries(run.usage).map(([name, amount]) => `${name} ${amount}`);
    lines.push(output.style("dim", used.join(", ")));
  }
  if (run.error !== undefined) {
    lines.push(printable(`${run.error.type}: ${run.error.message}`));
    if (run.error.stack !== undefined) lines.push(printable(run.error.stack));
  }
  if (run.result !== undefined) {
    lines.push(String(run.result.statusCode));
    for (const [name, value] of Object.entries(run.result.headers))
      lines.push(printable(`${name}: ${value}`));
    for (const cookie of run.result.cookies ?? []) lines.push(printable(`set-cookie: ${cookie}`));
    if (run.result.body !== "") lines.push("", printable(run.result.body));
  }
  if (run.observed !== undefined) lines.push("", describeObserved(run.observed));
  return lines.join("\n");
}
