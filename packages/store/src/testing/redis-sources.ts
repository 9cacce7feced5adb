import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A call of a command in a script. */
export interface LuaCall {
  /** Of the script, relative to the folder. */
  path: string;
  /** As it is written: `'HGET'`. */
  command: string;
  /** What stands for the key, as it is written. */
  key: string;
}

/** @returns the script without its comments */
export const luaCode = (folder: string, path: string): string =>
  readFileSync(join(folder, path), "utf8").replaceAll(/--.*$/gm, "");

/** @returns every `redis.call` of the scripts in the folder `lua` of a driver */
export function readLuaCalls(folder: string): LuaCall[] {
  return globSync("lua/*.lua", { cwd: folder }).flatMap((path) =>
    [...luaCode(folder, path).matchAll(/redis\.p?call\(\s*([^,)]+)\s*(?:,\s*([^,)]+))?/g)].map(
      ([, command = "", key = ""]) => ({ path, command: command.trim(), key: key.trim() }),
    ),
  );
}

/** @returns what stands for the command wherever a driver's own sources send one: `"HGET"` */
export function readSends(folder: string): { path: string; name: string }[] {
  const sources = globSync("*.ts", { cwd: folder }).filter((path) => !path.endsWith(".test.ts"));
  return sources.flatMap((path) =>
    [...readFileSync(join(folder, path), "utf8").matchAll(/\bsend(?:ForBytes)?(?:<.+?>)?\(\s*([^,)]+)/g)]
      .map(([, name = ""]) => name)
      // Definitions, and batches.
      .filter((name) => !/^(command\b|batch|items|this\.#next\()/.test(name))
      .map((name) => ({ path, name })),
  );
}
