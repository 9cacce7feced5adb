import type { Output } from "../output/output.ts";
import { printable } from "../output/printable.ts";
import { formatTable } from "../output/table.ts";
import { formatMs } from "../output/units.ts";
import { curlLine, webUrl } from "../deploy/web-url.ts";
import type { RunningPlatform } from "../platform-port.ts";
import type { ResolvedScope } from "../scope.ts";
import type { DevEvent } from "./folder-deployer.ts";

/** The keys of a running session. */
export const HELP = "q quit · r redeploy everything · h help";

/** @returns what happened, in a line a person sees at once */
export function describeEvent(event: DevEvent, output: Output): string {
  switch (event.type) {
    case "deployed": {
      const mark = event.changed ? "↻" : "=";
      const line = `${output.style("green", mark)} ${event.function} v${event.version} in ${formatMs(event.duration_ms)}`;
      return [
        line,
        ...event.warnings.map((text) => `  ${output.style("yellow", "warning:")} ${printable(text)}`),
      ].join("\n");
    }
    case "failed":
      return `${output.style("red", "✖")} ${event.function}: ${printable(event.message)}`;
    case "removed":
      return `- ${event.function}: its folder is gone; the last version stays in service (cs fn delete ${event.function})`;
    case "watch_failed":
      return `${output.style("red", "✖")} ${event.folder} is no longer watched: ${printable(event.message)}`;
  }
}

export interface StartTextOptions {
  platform: RunningPlatform;
  scope: ResolvedScope;
  functions: ReadonlyMap<string, number>;
  /** Folders as they were given. */
  paths: readonly string[];
  tookMs: number;
  /** How this program is called. */
  cs: string;
  /** Whether single keys are heard. */
  keys: boolean;
  output: Output;
}

/** @returns what a person needs after the start: addresses, functions, a line to try, how to stop */
export function describeStart(options: StartTextOptions): string {
  const { platform, scope, functions, paths, tookMs, output, cs } = options;
  const names = [...functions.keys()].sort();
  const first = names.includes("hello") ? "hello" : names[0];
  const rows = names.map((name) => [name, `v${functions.get(name)}`, webUrl(scope, name, "prod")]);
  const table = formatTable(["FUNCTION", "VERSION", "URL"], rows, "");
  const call =
    first === undefined
      ? [`no functions yet:  ${cs} fn init hello, then ${cs} dev hello`]
      : [
          table,
          "",
          `call     ${curlLine(scope, first, "prod")}`,
          `         ${cs} fn invoke ${first}@prod --event '{"name": "you"}'${apiFlag(scope)}`,
        ];
  return [
    `${output.style("bold", "SOUS")} at ${output.style("cyan", platform.url)}  ready in ${formatMs(tookMs)}`,
    `docs     ${platform.url}/docs`,
    `data     ${platform.data}, auth ${platform.auth}`,
    ...tokenLines(platform.firstToken),
    "",
    ...call,
    "",
    `watching ${paths.join(", ")}; ${options.keys ? `Ctrl-C or ${HELP}` : "Ctrl-C stops"}`,
  ].join("\n");
}

/** @returns how to use the first token of an installation, which is told only once */
export const tokenLines = (token: string | undefined): string[] =>
  token === undefined ? [] : [`token    ${token}  (shown only now: export SOUS_TOKEN=…)`];

/** Other commands look at port 8080 unless told. */
const apiFlag = (scope: ResolvedScope): string =>
  scope.apiUrl.endsWith(":8080") ? "" : ` --api-url ${scope.apiUrl}`;
