import { once } from "node:events";
import type { Command } from "commander";
import { runningOutputOf } from "../command-context.ts";
import { addPlatformFlags, readPlatformFlags } from "../platform-flags.ts";
import type { PlatformFlags } from "../platform-port.ts";
import { tokenLines } from "../dev/dev-texts.ts";
import type { Register } from "../register.ts";

/** `cs serve`: runs the platform as configured, until it is told to stop. */
export const registerServe: Register = (parent, deps) => {
  addPlatformFlags(parent.command("serve").description("run the platform as configured")).action(
    async (options: PlatformFlags, command: Command) => {
      const output = runningOutputOf(command, deps);
      const stop = deps.stopSignal();
      const { startPlatform } = await deps.loadPlatform();
      const platform = await startPlatform({ mode: "serve", flags: readPlatformFlags(options) });
      try {
        for (const warning of platform.warnings) output.warn(warning);
        const { url, auth, data, firstToken } = platform;
        output.item({ type: "started", url, auth, data, first_token: firstToken }, () =>
          [
            `SOUS at ${url}`,
            `docs     ${url}/docs`,
            `data     ${data}, auth ${auth}`,
            ...tokenLines(firstToken),
          ].join("\n"),
        );
        if (!stop.aborted) await once(stop, "abort");
      } finally {
        await platform.close();
      }
      output.item({ type: "stopped" }, () => "stopped");
    },
  );
};
