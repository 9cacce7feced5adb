import { existsSync } from "node:fs";
import { delimiter, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../../../bin/cs.js", import.meta.url));

/** @returns how this program is called in lines meant for copying: `cs` where that is found, otherwise its file */
export function callName(env: Readonly<Record<string, string | undefined>>, cwd: string): string {
  const folders = (env["PATH"] ?? "").split(delimiter);
  const installed = folders.some((folder) => folder !== "" && existsSync(join(folder, "cs")));
  return installed ? "cs" : `node ${relative(cwd, BIN)}`;
}
