import { relative, resolve } from "node:path";
import type { Command } from "commander";
import { oneOf, outputOf } from "../command-context.ts";
import { type TemplateName, TEMPLATE_NAMES, writeTemplate } from "../init/write-template.ts";
import type { Register } from "../register.ts";

interface InitOptions {
  template: TemplateName;
  path?: string;
  force?: boolean;
}

/** `cs fn init NAME`: writes a function to start from. */
export const registerFnInit: Register = (parent, deps) => {
  parent
    .command("init")
    .description("write a function to start from")
    .argument("<name>", "name of the function")
    .option("--template <name>", TEMPLATE_NAMES.join(", "), oneOf(TEMPLATE_NAMES), "http")
    .option("--path <folder>", "folder to write to (./NAME)")
    .option("--force", "write over files that are there")
    .action(async (name: string, options: InitOptions, command: Command) => {
      const output = outputOf(command, deps);
      const folder = resolve(deps.cwd, options.path ?? name);
      const files = await writeTemplate({
        name,
        folder,
        template: options.template,
        force: options.force === true,
      });
      const shown = relative(deps.cwd, folder) || ".";
      output.data({ name, template: options.template, folder, files }, () =>
        [
          `${output.style("bold", name)} in ${shown}: ${files.join(", ")}`,
          `  cs fn test ${name} --path ${shown} --event @${shown}/event.json`,
          `  cs fn deploy ${shown}`,
        ].join("\n"),
      );
    });
};
