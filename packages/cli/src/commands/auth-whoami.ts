import type { Command } from "commander";
import { CliError, EXIT } from "../client/cli-error.ts";
import { createContext } from "../command-context.ts";
import { formatFields } from "../output/table.ts";
import { probeServer } from "../probe-server.ts";
import type { Register } from "../register.ts";

/** `cs auth whoami`: where commands go, with which token, and whether the server takes it. */
export const registerAuthWhoami: Register = (parent, deps) => {
  parent
    .command("whoami")
    .description("show server, tenant and token in use, and whether the server takes it")
    .action(async (_options: object, command: Command) => {
      const { api, output, scope } = await createContext(command, deps);
      const { state, message } = await probeServer(api);
      const { apiUrl, tenant, namespace, tokenSource } = scope;
      const claims = readClaims(scope.token);
      output.data({ api_url: apiUrl, tenant, namespace, token: tokenSource, server: state, ...claims }, () =>
        formatFields([
          ["server", `${apiUrl} (${message === undefined ? state : `${state}: ${message}`})`],
          ["tenant", tenant],
          ["namespace", namespace],
          ["token", tokenSource === "none" ? "none" : `from ${tokenSource}`],
          ...Object.entries(claims).map(([name, value]) => [name, String(value)] as const),
        ]),
      );
      if (state === "refused")
        throw new CliError("the server does not take this token", { code: "CS_AUTHN_INVALID_TOKEN" });
      if (state === "unreachable") deps.exitWith(EXIT.server);
    });
};

/** What a token that is a JWT says about itself; only the server can say whether that is true. */
function readClaims(token: string | undefined): { sub?: string; expires_at_ms?: number } {
  const payload = token?.split(".")[1];
  if (payload === undefined) return {};
  try {
    const { sub, exp }: { sub?: unknown; exp?: unknown } = JSON.parse(
      Buffer.from(payload, "base64url").toString("utf8"),
    );
    return {
      ...(typeof sub === "string" ? { sub } : {}),
      ...(typeof exp === "number" ? { expires_at_ms: exp * 1000 } : {}),
    };
  } catch {
    return {};
  }
}
