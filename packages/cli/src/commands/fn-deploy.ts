import { resolve } from "node:path";
import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { deployFunction } from "../deploy/deploy-function.ts";
import { readFunctionFolder } from "../deploy/function-folder.ts";
import { syntaxWarnings } from "../deploy/syntax-warnings.ts";
import { powersTable, showRefusedPowers } from "../deploy/powers-table.ts";
import {
  addVersionConfigOptions,
  readVersionConfig,
  type VersionConfigOptions,
} from "../deploy/version-config-options.ts";
import { curlLine, webUrl } from "../deploy/web-url.ts";
import { formatBytes } from "../output/units.ts";
import type { Register } from "../register.ts";

interface DeployOptions extends VersionConfigOptions {
  name?: string;
  alias: string;
  public?: boolean;
  approve?: boolean;
}

/** `cs fn deploy PATH`: create, draft, publish and alias in one. */
export const registerFnDeploy: Register = (parent, deps) => {
  const command = parent
    .command("deploy")
    .description("put a folder into service: create, upload, publish and alias in one")
    .argument("[path]", "folder with manifest.json", ".")
    .option("--name <name>", "name of the function (the folder's)")
    .option("--alias <alias>", "alias that points to the new version", "prod")
    .option("--public", "anyone may call it over the web, without a token")
    .option("--approve", "approve new powers, where the server asks for that");
  addVersionConfigOptions(command).action(async (path: string, options: DeployOptions, command: Command) => {
    const { api, output, scope } = await createContext(command, deps);
    const folder = await readFunctionFolder(resolve(deps.cwd, path));
    const warnings = syntaxWarnings(folder);
    for (const warning of warnings) output.warn(warning);
    if (options.public === true) options.invokeHttpRoles ??= ["public"];
    const deployed = await deployFunction({
      api,
      folder,
      name: options.name ?? folder.name,
      aliases: [options.alias],
      config: readVersionConfig(options, ["admin"]),
      approve: options.approve === true,
    }).catch(showRefusedPowers(output));
    const { name, version } = deployed;
    for (const warning of deployed.warnings) output.warn(warning);
    const url = webUrl(scope, name, options.alias);
    const curl = curlLine(
      options.public === true ? { ...scope, token: undefined } : scope,
      name,
      options.alias,
    );
    const what = `${folder.files.size} files, ${formatBytes(deployed.size_bytes)}`;
    output.data({ ...deployed, url, curl, warnings: [...warnings, ...deployed.warnings] }, () =>
      [
        `${output.style("bold", `${name} v${version}`)}  ${deployed.created ? "created, " : ""}${what}, sha256 ${deployed.sha256.slice(0, 12)}`,
        ...(deployed.powers === undefined ? [] : [powersTable(deployed.powers, output)]),
        `  web     ${url}`,
        `  curl    ${curl}`,
        `  invoke  cs fn invoke ${name}@${options.alias} --event '{}'`,
      ].join("\n"),
    );
  });
};
