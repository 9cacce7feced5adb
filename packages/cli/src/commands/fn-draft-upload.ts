import type { Command } from "commander";
import { createContext } from "../command-context.ts";
import { readFunctionFolder } from "../deploy/function-folder.ts";
import { locateFolder } from "../deploy/locate-folder.ts";
import { syntaxWarnings } from "../deploy/syntax-warnings.ts";
import { formatBytes, formatTime } from "../output/units.ts";
import { groupOf, type Register } from "../register.ts";

/** `cs fn draft upload NAME`: uploads a folder as a draft, which a publish turns into a version. */
export const registerFnDraftUpload: Register = (parent, deps) => {
  groupOf(parent, "draft", "drafts: files that are not published yet")
    .command("upload")
    .description("upload a folder as a draft; it lasts a day")
    .argument("<name>", "name of the function")
    .option("--path <folder>", "folder with manifest.json (./NAME, or here)")
    .action(async (name: string, options: { path?: string }, command: Command) => {
      const { api, output } = await createContext(command, deps);
      const folder = await readFunctionFolder(await locateFolder(deps.cwd, name, options.path));
      for (const warning of syntaxWarnings(folder)) output.warn(warning);
      const files = Object.fromEntries(
        [...folder.files].map(([path, content]) => [path, content.toString("base64")]),
      );
      const draft = await api.putDraft(name, files);
      output.data(
        draft,
        () => `${draft.draft_id}  ${formatBytes(draft.size_bytes)}  until ${formatTime(draft.expires_at_ms)}`,
      );
      if (!output.json) output.note(`next: cs fn publish ${name} --draft ${draft.draft_id} --alias prod`);
    });
};
