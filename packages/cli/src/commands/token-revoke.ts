import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import type { Register } from "../register.ts";

/** `cs token revoke ID`: ends an API token. */
export const registerTokenRevoke: Register = (parent, deps) => {
  parent
    .command("revoke")
    .description("end an API token; servers may remember it for a minute")
    .argument("<token-id>", "id of the token, as `cs token list` shows it")
    .action(async (tokenId: string, _options: object, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const reply = await api.revokeToken(tokenId);
      output.data(reply, () => `revoked ${tokenId}`);
    });
};
