import type { Command } from "commander";
import { CliError } from "../client/cli-error.ts";
import { commaList, createContext, wholeNumber } from "../command-context.ts";
import type { Register } from "../register.ts";

interface TokenCreateOptions {
  sub?: string;
  user?: string;
  roles?: string[];
  expiresInSeconds?: number;
}

/** `cs token create`: makes an API token; it is shown this once. */
export const registerTokenCreate: Register = (parent, deps) => {
  parent
    .command("create")
    .description("create an API token; it is shown only now")
    .option("--user <name>", "the user it belongs to and speaks for")
    .option("--sub <subject>", "who it speaks for, if that is no user; needs --roles")
    .option("--roles <roles>", "its roles, with commas (those the user has now)", commaList)
    .option("--expires-in-seconds <s>", "until it ends (never)", wholeNumber(1, 315_360_000))
    .action(async (options: TokenCreateOptions, command: Command) => {
      const { api, output, scope } = await createContext(command, deps);
      const reply = await api.createToken({
        ...whoseOf(options),
        tenant: scope.tenant,
        ...(options.expiresInSeconds === undefined ? {} : { expires_in_seconds: options.expiresInSeconds }),
      });
      output.data(reply, () => reply.token);
      if (!output.json)
        output.note(`token ${reply.record.token_id} for ${reply.record.sub}; it is not shown again`);
    });
};

function whoseOf({ user, sub, roles }: TokenCreateOptions) {
  if (user !== undefined && sub === undefined) return roles === undefined ? { user } : { user, roles };
  if (user === undefined && sub !== undefined && roles !== undefined) return { sub, roles };
  throw new CliError("whose token it is, and what it may, has to be said once", {
    hint: "Give --user NAME, with --roles for fewer than the user has, or --sub NAME --roles LIST.",
  });
}
