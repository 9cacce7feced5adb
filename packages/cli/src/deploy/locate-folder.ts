import { resolve } from "node:path";
import { hasManifest } from "./function-folder.ts";

/**
 * Finds the folder a command means when only a function's name is certain.
 * @param path what the user said, if anything; otherwise the folder of that name, or the current one
 */
export async function locateFolder(cwd: string, name: string, path: string | undefined): Promise<string> {
  if (path !== undefined) return resolve(cwd, path);
  const named = resolve(cwd, name);
  return (await hasManifest(named)) || !(await hasManifest(cwd)) ? named : cwd;
}
