import type { Command } from "commander";
import { CliError } from "../client/cli-error.ts";
import { outputOf } from "../command-context.ts";
import { readInput } from "../read-input.ts";
import type { Register } from "../register.ts";

interface VerifyOptions {
  id: string;
  timestamp: string;
  signature: string;
  secretFile: string;
}

/** `cs webhook verify`: tells whether a webhook that came was signed with a secret. */
export const registerWebhookVerify: Register = (parent, deps) => {
  parent
    .command("verify")
    .description("check the signature of a webhook that came")
    .argument("[body]", "its body: @file, or - for standard input", "-")
    .requiredOption("--id <id>", "its header webhook-id")
    .requiredOption("--timestamp <seconds>", "its header webhook-timestamp")
    .requiredOption("--signature <signature>", "its header webhook-signature")
    .requiredOption("--secret-file <file>", "file that holds the secret, whsec_…")
    .action(async (body: string, options: VerifyOptions, command: Command) => {
      const output = outputOf(command, deps);
      const secret = (await readInput(`@${options.secretFile}`, deps)).toString("utf8").trim();
      const expected = await sign(secret, options, (await readInput(body, deps)).toString("utf8"));
      // A sender that changes its secret signs with both.
      if (!options.signature.split(" ").includes(expected)) {
        throw new CliError("the signature is not that of this secret, id, timestamp and body", {
          hint: "The body must be as it came, byte for byte, before any parser.",
        });
      }
      const ageSeconds = Math.round(deps.now() / 1000 - Number(options.timestamp));
      output.data({ verified: true, age_seconds: ageSeconds }, () => `verified, ${ageSeconds} s old`);
    });
};

async function sign(secret: string, { id, timestamp }: VerifyOptions, body: string): Promise<string> {
  if (!/^[0-9]{1,12}$/.test(timestamp)) throw new CliError("--timestamp is a number of seconds");
  const { Webhook } = await import("standardwebhooks");
  try {
    return new Webhook(secret).sign(id, new Date(Number(timestamp) * 1000), body);
  } catch (cause) {
    throw new CliError("the secret is not whsec_ and base64", { cause });
  }
}
