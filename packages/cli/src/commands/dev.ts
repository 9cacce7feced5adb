import { once } from "node:events";
import { resolve } from "node:path";
import type { SecretGrant } from "@sous/contract";
import type { Command } from "commander";
import { callName } from "../call-name.ts";
import { createApiClient } from "../client/api-client.ts";
import { runningOutputOf } from "../command-context.ts";
import { describeEvent, describeStart, HELP } from "../dev/dev-texts.ts";
import { startDevSession } from "../dev/dev-session.ts";
import { secretList } from "../deploy/version-config-options.ts";
import { webUrl } from "../deploy/web-url.ts";
import { addPlatformFlags, readPlatformFlags } from "../platform-flags.ts";
import type { PlatformFlags } from "../platform-port.ts";
import type { Register } from "../register.ts";
import { type GlobalOptions, resolveScope } from "../scope.ts";

/** Where calls go; `dev` is the same, for those who want to tell the two apart later. */
const ALIASES = ["prod", "dev"];
const QUIT_KEYS = new Set(["q", "\u0003", "\u0004"]);

interface DevOptions extends PlatformFlags {
  secrets?: SecretGrant[];
}

/** `cs dev [PATH…]`: the whole platform in this process, and folders of functions in service as they are saved. */
export const registerDev: Register = (parent, deps) => {
  const command = parent
    .command("dev")
    .description("run the whole platform here and redeploy functions on every change")
    .argument("[paths...]", "folders of functions, or folders of such folders", ["."])
    .option(
      "--secrets <names>",
      "secrets every function here may use: NAME, NAME@HOST or NAME@HOST:HEADER",
      secretList,
    );
  addPlatformFlags(command).action(async (paths: string[], options: DevOptions, command: Command) => {
    const started = performance.now();
    const output = runningOutputOf(command, deps);
    const stop = deps.stopSignal();
    const { startPlatform } = await deps.loadPlatform();
    const flags = { port: 8080, data: "./.sous", ...readPlatformFlags(options), role: ["all"] };
    const platform = await startPlatform({ mode: "dev", flags });
    try {
      const globals = command.optsWithGlobals<GlobalOptions>();
      const token = globals.token ?? platform.firstToken;
      const scope = resolveScope(
        {
          ...globals,
          apiUrl: platform.url,
          gatewayUrl: platform.url,
          ...(token === undefined ? {} : { token }),
        },
        deps.env,
        undefined,
      );
      for (const warning of platform.warnings) output.warn(warning);
      let ready = false;
      await using session = await startDevSession({
        api: createApiClient(scope),
        roots: paths.map((path) => resolve(deps.cwd, path)),
        aliases: ALIASES,
        secrets: options.secrets ?? [],
        report(event) {
          const url = "version" in event ? { url: webUrl(scope, event.function, "prod") } : {};
          // What is found at start stands in the table below; only faults are worth a line of their own.
          if (output.json || ready || event.type !== "deployed" || event.warnings.length > 0) {
            output.item({ ...event, ...url }, () => describeEvent(event, output));
          }
        },
      });
      ready = true;
      const tookMs = performance.now() - started;
      output.item(
        { type: "ready", url: platform.url, first_token: platform.firstToken, duration_ms: tookMs },
        () =>
          describeStart({
            platform,
            scope,
            functions: session.versions,
            paths,
            tookMs,
            output,
            keys: deps.stdin.isTTY === true,
            cs: callName(deps.env, deps.cwd),
          }),
      );
      const quit = new AbortController();
      const release = deps.onKey((key) => {
        if (QUIT_KEYS.has(key)) quit.abort();
        else if (key === "r") void session.redeployAll();
        else if (key === "h") output.note(HELP);
      });
      const end = AbortSignal.any([stop, quit.signal]);
      if (!end.aborted) await once(end, "abort");
      release?.();
    } finally {
      await platform.close();
      deps.leave();
    }
    output.item({ type: "stopped" }, () => "stopped");
  });
};
