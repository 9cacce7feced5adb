import type { Command } from "commander";
import { createHttpClient } from "../client/http-client.ts";
import { CliError } from "../client/cli-error.ts";
import { createContext } from "../command-context.ts";
import { printable } from "../output/printable.ts";
import { readInput } from "../read-input.ts";
import type { Register } from "../register.ts";
import type { ResolvedScope } from "../scope.ts";

interface HttpInvokeOptions {
  request?: string;
  data?: string;
  header?: string[];
}

/** `cs http invoke PATH`: calls a function as a web client would. */
export const registerHttpInvoke: Register = (parent, deps) => {
  parent
    .command("invoke")
    .description("call a function over the web gateway; prints status=N, then the body")
    .argument("<path>", "/v1/web/…, or name@ref/further/path?query")
    .option("-X, --request <method>", "method (GET, or POST with -d)")
    .option("-d, --data <text>", "body: text, @file, or - for standard input")
    .option(
      "-H, --header <name: value>",
      "header; may be repeated",
      (text: string, earlier: string[] | undefined) => [...(earlier ?? []), text],
    )
    .action(async (path: string, options: HttpInvokeOptions, command: Command) => {
      const { output, scope } = await createContext(command, deps);
      const body = options.data === undefined ? undefined : await readInput(options.data, deps);
      const http = createHttpClient({ apiUrl: scope.gatewayUrl, token: scope.token });
      const answer = await http.send({
        method: options.request?.toUpperCase() ?? (body === undefined ? "GET" : "POST"),
        path: webPath(path, scope),
        headers: parseHeaders(options.header ?? []),
        timeoutMs: 60_000,
        ...(body === undefined ? {} : { body }),
      });
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
      const text = answer.body.toString("utf8");
      if (json) return output.data({ status: answer.status, headers: answer.headers, body: text }, () => "");
      // What a function sends must not steer a terminal; into a file or a pipe it goes as it is.
      output.raw(`status=${answer.status}`);
      if (text !== "") output.raw(deps.stdout.isTTY === true ? printable(text) : text);
    });
};

/** @returns the path at the gateway; `name@ref/rest` is short for the long form */
function webPath(path: string, scope: ResolvedScope): string {
  if (path.startsWith("/")) return path;
  const found = /^([^@/?]+)(?:@([^/?]+))?([/?].*)?$/.exec(path);
  if (found === null || URL.canParse(path)) {
    throw new CliError(`${JSON.stringify(path)} is not a path`, {
      hint: "Write /v1/web/TENANT/NAMESPACE/FUNCTION/REF, or name@ref.",
    });
  }
  const [, name = "", ref = "latest", rest = ""] = found;
  return `/v1/web/${scope.tenant}/${scope.namespace}/${name}/${ref}${rest}`;
}

function parseHeaders(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(":");
      if (colon < 1) throw new CliError(`-H ${JSON.stringify(line)} is not name: value`);
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}
