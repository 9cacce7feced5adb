import type { Command } from "commander";
import { createApiClient } from "../client/api-client.ts";
import { CliError } from "../client/cli-error.ts";
import { createContext } from "../command-context.ts";
import { type Credentials, writeCredentials } from "../credentials.ts";
import { readInput } from "../read-input.ts";
import { probeServer } from "../probe-server.ts";
import type { Register } from "../register.ts";

/** `cs auth login`: remembers a server and a token, for this user alone. */
export const registerAuthLogin: Register = (parent, deps) => {
  parent
    .command("login")
    .description("remember a server and a token (--token, CS_TOKEN, or --token - for standard input)")
    .option("--tikti-url <url>", "identity service the token comes from, kept for reference")
    .action(async (options: { tiktiUrl?: string }, command: Command) => {
      const { output, scope } = await createContext(command, deps);
      const token = scope.token === "-" ? (await readInput("-", deps)).toString("utf8").trim() : scope.token;
      if (token === undefined || token === "") {
        throw new CliError("there is no token to log in with", {
          hint: "Set CS_TOKEN, or pipe it in: `cs auth login --token - < token.txt`.",
        });
      }
      const { state } = await probeServer(createApiClient({ ...scope, token }));
      if (state === "refused")
        throw new CliError(`${scope.apiUrl} does not know this token`, { code: "CS_AUTHN_INVALID_TOKEN" });
      const credentials: Credentials = {
        api_url: scope.apiUrl,
        tenant: scope.tenant,
        token,
        namespace: scope.namespace,
        ...(scope.gatewayUrl === scope.apiUrl ? {} : { gateway_url: scope.gatewayUrl }),
        ...(options.tiktiUrl === undefined ? {} : { tikti_url: options.tiktiUrl }),
      };
      const path = await writeCredentials(deps.env, credentials);
      output.data(
        {
          api_url: scope.apiUrl,
          tenant: scope.tenant,
          namespace: scope.namespace,
          file: path,
          checked: state !== "unreachable",
        },
        () => `logged in to ${scope.apiUrl} as a caller of ${scope.tenant}`,
      );
      if (state === "unreachable")
        output.warn(`${scope.apiUrl} does not answer now; the token is stored unchecked`);
    });
};
