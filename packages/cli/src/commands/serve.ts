import { once } from "node:events";
import type { Command } from "commander";
import { runningOutputOf } from "../command-context.ts";
import { addPlatformFlags, addRoleFlag, readPlatformFlags } from "../platform-flags.ts";
import type { PlatformFlags, RunningPlatform } from "../platform-port.ts";
import { tokenLines } from "../dev/dev-texts.ts";
import type { Register } from "../register.ts";

/** `cs serve`: runs the platform as configured, or the roles of it that are named, until it is told to stop. */
export const registerServe: Register = (parent, deps) => {
  const serve = parent.command("serve").description("run the platform as configured, or roles of it");
  addRoleFlag(addPlatformFlags(serve)).action(async (options: PlatformFlags, command: Command) => {
    const output = runningOutputOf(command, deps);
    const stop = deps.stopSignal();
    const { startPlatform } = await deps.loadPlatform();
    const platform = await startPlatform({ mode: "serve", flags: readPlatformFlags(options) });
    try {
      for (const warning of platform.warnings) output.warn(warning);
      const { url, auth, data, role, firstToken } = platform;
      output.item({ type: "started", url, role, auth, data, first_token: firstToken }, () =>
        [...startLines(platform), ...tokenLines(firstToken)].join("\n"),
      );
      if (!stop.aborted) await once(stop, "abort");
    } finally {
      await platform.close();
      deps.leave();
    }
    output.item({ type: "stopped" }, () => "stopped");
  });
};

/** Only the control plane has pages, and only a whole platform keeps data of its own. */
function startLines({ url, role, data, auth }: RunningPlatform): string[] {
  if (role === "all") return [`SOUS at ${url}`, `docs     ${url}/docs`, `data     ${data}, auth ${auth}`];
  const docs = role.split(",").includes("control") ? [`docs     ${url}/docs`] : [];
  return [`SOUS ${role} at ${url}`, ...docs, `ready    ${url}/readyz`];
}
