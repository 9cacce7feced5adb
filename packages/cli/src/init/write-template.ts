import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CliError } from "../client/cli-error.ts";

/** The functions `cs fn init` can write; each is a folder of `templates/`. */
export const TEMPLATE_NAMES = ["http", "typescript", "fetch", "agent-tool", "scheduled-job"] as const;
export type TemplateName = (typeof TEMPLATE_NAMES)[number];

export interface WriteTemplateOptions {
  /** Name of the function; stands in the README. */
  name: string;
  /** Absolute; made where it is missing. */
  folder: string;
  template: TemplateName;
  /** Whether files that are there may be written over. */
  force: boolean;
}

const TEMPLATES = new URL("../../templates/", import.meta.url);

/**
 * Writes the files of a template.
 * @returns their names, sorted
 * @throws CliError for a name no server would take, and where a file is already there
 */
export async function writeTemplate(options: WriteTemplateOptions): Promise<string[]> {
  const { name, folder, template, force } = options;
  if (!/^[a-z][a-z0-9_-]{2,63}$/.test(name)) {
    throw new CliError(`${JSON.stringify(name)} cannot be the name of a function`, {
      hint: "Names are 3 to 64 of a-z 0-9 _ -, a letter first.",
    });
  }
  const source = new URL(`${template}/`, TEMPLATES);
  const files = (await readdir(source)).sort();
  await mkdir(folder, { recursive: true });
  const present = new Set(await readdir(folder));
  const inTheWay = files.filter((file) => present.has(file));
  if (!force && inTheWay.length > 0) {
    throw new CliError(`${folder} already has ${inTheWay.join(", ")}`, {
      hint: "Choose another folder with --path, or write over them with --force.",
    });
  }
  for (const file of files) {
    const text = await readFile(new URL(file, source), "utf8");
    await writeFile(join(folder, file), text.replaceAll("{{name}}", name));
  }
  return files;
}
