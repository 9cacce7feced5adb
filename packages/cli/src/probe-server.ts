import type { ApiClient } from "./client/api-client.ts";
import { CliError } from "./client/cli-error.ts";

/** Whether a server takes a token: `ok` and `forbidden` know it, `refused` does not. */
export type ServerState = "ok" | "forbidden" | "refused" | "unreachable";

export interface ServerProbe {
  state: ServerState;
  /** Why it is not `ok`. */
  message?: string;
}

/** Asks a server for the shortest list there is, to see whether it takes the token. Never throws. */
export async function probeServer(api: ApiClient): Promise<ServerProbe> {
  try {
    await api.listFunctions(1, false);
    return { state: "ok" };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const { code, message } = error;
    if (code?.startsWith("CS_AUTHN_") && code !== "CS_AUTHN_UNAVAILABLE")
      return { state: "refused", message };
    return { state: code === undefined ? "unreachable" : "forbidden", message };
  }
}
