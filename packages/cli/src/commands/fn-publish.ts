import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { powersTable, showRefusedPowers } from "../deploy/powers-table.ts";
import {
  addVersionConfigOptions,
  readVersionConfig,
  type VersionConfigOptions,
} from "../deploy/version-config-options.ts";
import type { Register } from "../register.ts";

interface PublishOptions extends VersionConfigOptions {
  draft: string;
  alias?: string;
  approve?: boolean;
}

/** `cs fn publish NAME --draft ID`: makes the next version of a draft. */
export const registerFnPublish: Register = (parent, deps) => {
  const command = parent
    .command("publish")
    .description("publish a draft as the next version")
    .argument("<name>", "name of the function")
    .requiredOption("--draft <draft-id>", "draft to publish")
    .option("--alias <alias>", "alias that points to the new version from the same moment")
    .option("--approve", "approve new powers, where the server asks for that");
  addVersionConfigOptions(command).action(async (name: string, options: PublishOptions, command: Command) => {
    const { api, output } = await createContext(command, deps);
    const published = await api
      .publish(name, {
        draft_id: options.draft,
        config: readVersionConfig(options),
        ...(options.alias === undefined ? {} : { alias: options.alias }),
        ...(options.approve === true ? { approve: true } : {}),
      })
      .catch(showRefusedPowers(output));
    for (const warning of published.warnings) output.warn(warning);
    output.data(
      published,
      () =>
        `${name} v${published.version}  ${published.sha256.slice(0, 12)}\n${powersTable(published.powers, output)}`,
    );
  });
};
