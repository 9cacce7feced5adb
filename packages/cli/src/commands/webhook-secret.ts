import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

const KEY_BYTES = 32;

/** `cs webhook secret NAME`: makes a secret that signs webhooks, keeps it, and shows it once for the receiver. */
export const registerWebhookSecret: Register = (parent, deps) => {
  parent
    .command("secret")
    .description("make a secret that signs webhooks, keep it as NAME, and show it once")
    .argument("<name>", "name of the secret")
    .action(async (name: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const secret = `whsec_${randomBytes(KEY_BYTES).toString("base64")}`;
      const { version } = await api.putSecret(name, secret);
      output.data({ name, version, secret }, () => secret);
      if (output.json) return;
      output.note(`kept as ${name}; give it to the receiver now, it is never shown again`);
      output.note(`use it: cs fn deploy --on-success https://… --webhook-secret ${name}`);
    });
};
