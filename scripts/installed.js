// Plain ES2020: runs on any Node from 14 up, before anything is installed.
import { spawnSync } from "child_process";
import { readFileSync } from "fs";
import { join } from "path";
import { ROOT } from "./pinned-node.js";

/**
 * Installs the dependencies where they are missing or not the ones package-lock.json names.
 * A missing folder is installed from the lock alone; an outdated one is brought up to date in place, so that
 * nothing that runs from it loses its files. Ends the process with a message where npm fails.
 */
export function ensureInstalled() {
  const locked = readPackages(join(ROOT, "package-lock.json"));
  const present = readPackages(join(ROOT, "node_modules", ".package-lock.json"));
  if (locked === undefined || isUpToDate(locked, present)) return;
  const command = present === undefined ? "ci" : "install";
  console.error(`installing dependencies (npm ${command}), about half a minute the first time …`);
  const started = Date.now();
  const result = runNpm([command, "--no-audit", "--no-fund", "--loglevel=error", "--no-progress"]);
  if (result.status !== 0) {
    if (result.error) console.error(String(result.error));
    console.error(`error: npm ${command} failed; mend what it says above, then run this again`);
    process.exit(1);
  }
  console.error(`installed in ${Math.round((Date.now() - started) / 1000)} s`);
}

function runNpm(args) {
  const options = { cwd: ROOT, stdio: ["ignore", 2, 2] };
  const npm = process.env.npm_execpath;
  if (npm && /\.c?js$/.test(npm)) return spawnSync(process.execPath, [npm, ...args], options);
  return spawnSync("npm", args, { ...options, shell: process.platform === "win32" });
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/** npm notes what it installed; packages for other platforms are optional and absent there. */
function isUpToDate(locked, present) {
  if (present === undefined) return false;
  return Object.keys(locked).every((path) => {
    if (!path.includes("node_modules/")) return true;
    const found = present[path];
    return found === undefined ? locked[path].optional === true : found.version === locked[path].version;
  });
}
