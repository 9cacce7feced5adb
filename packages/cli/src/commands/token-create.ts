import type { Command } from "commander";
import { commaList, createContext, wholeNumber } from "../command-context.ts";
import type { Register } from "../register.ts";

interface TokenCreateOptions {
  sub: string;
  roles: string[];
  expiresInSeconds?: number;
}

/** `cs token create`: makes an API token; it is shown this once. */
export const registerTokenCreate: Register = (parent, deps) => {
  parent
    .command("create")
    .description("create an API token; it is shown only now")
    .requiredOption("--sub <subject>", "who the token speaks for")
    .requiredOption("--roles <roles>", "its roles, with commas", commaList)
    .option("--expires-in-seconds <s>", "until it ends (never)", wholeNumber(1, 315_360_000))
    .action(async (options: TokenCreateOptions, command: Command) => {
      const { api, output, scope } = await createContext(command, deps);
      const reply = await api.createToken({
        sub: options.sub,
        roles: options.roles,
        tenant: scope.tenant,
        ...(options.expiresInSeconds === undefined ? {} : { expires_in_seconds: options.expiresInSeconds }),
      });
      output.data(reply, () => reply.token);
      if (!output.json)
        output.note(`token ${reply.record.token_id} for ${reply.record.sub}; it is not shown again`);
    });
};
