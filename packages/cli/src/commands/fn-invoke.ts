import type { InvokeAcceptedReply, InvokeReply } from "@sous/contract";
import type { Command } from "commander";
import { EXIT } from "../client/cli-error.ts";
import { createContext, oneOf } from "../command-context.ts";
import { parseNamedRef } from "../function-ref.ts";
import type { Output } from "../output/output.ts";
import { parseDuration } from "../parse-duration.ts";
import { printable } from "../output/printable.ts";
import { formatMs } from "../output/units.ts";
import { readEvent } from "../read-input.ts";
import type { Register } from "../register.ts";

interface InvokeOptions {
  event?: string;
  mode: "sync" | "async";
  idempotencyKey?: string;
  exitStatus?: boolean;
  delay?: number;
}

/** `cs fn invoke NAME@REF`: runs a function once, over the control API. */
export const registerFnInvoke: Register = (parent, deps) => {
  parent
    .command("invoke")
    .description("run a function once")
    .argument("<ref>", "name, name@alias or name@version")
    .option("--event <json>", "event as JSON, @file, or - for standard input (null)")
    .option("--mode <mode>", "sync waits for the answer, async queues it", oneOf(["sync", "async"]), "sync")
    .option("--idempotency-key <key>", "run only once for the same key")
    .option("--delay <time>", "with --mode async: not before 500ms, 30s, 10m, 2h or 3d", parseDuration)
    .option("--exit-status", "exit with 3 when the function failed")
    .action(async (ref: string, options: InvokeOptions, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const reply = await api.invoke({
        ...parseNamedRef(ref),
        mode: options.mode,
        event: await readEvent(options.event, deps),
        idempotencyKey: options.idempotencyKey,
        delayMs: options.delay,
      });
      output.data(reply, () => describe(reply, output));
      const failed = reply.status !== "success" && reply.status !== "queued";
      if (failed && options.exitStatus === true) deps.exitWith(EXIT.functionFailed);
    });
};

function describe(reply: InvokeReply | InvokeAcceptedReply, output: Output): string {
  const id = output.style("dim", reply.activation_id);
  if (reply.status === "queued") return `queued  ${id}\n  cs activation get ${reply.activation_id} --wait 30`;
  const { result, error } = reply;
  const color = reply.status === "success" ? "green" : "red";
  const lines = [`${output.style(color, reply.status)} in ${formatMs(reply.duration_ms)}  ${id}`];
  if (error !== undefined) lines.push(printable(`${error.type}: ${error.message}`));
  if (error?.stack !== undefined) lines.push(printable(error.stack));
  if (result !== undefined) {
    const { statusCode, body, isBase64Encoded } = result;
    lines.push(`${statusCode}  ${isBase64Encoded ? `${body.length} characters of base64` : printable(body)}`);
  }
  return lines.join("\n");
}
