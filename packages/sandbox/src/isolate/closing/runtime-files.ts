import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";

/** What a host reads while it starts, and nothing else. */
export interface RuntimeFiles {
  node: string;
  /** Shared libraries as the loader names them. */
  libraries: readonly string[];
  /** The program, and what it loads: files and folders. */
  program: readonly string[];
}

/** The types of Node lag behind its documentation. */
type ReportOptions = NodeJS.ProcessReport & { excludeNetwork: boolean; excludeEnv: boolean };

const require = createRequire(import.meta.url);

/**
 * Tells what a host that runs `entry` reads. The loader's own list of this process, which runs the same Node,
 * is the list of libraries.
 * @param sources folders to add for a program that runs from its sources
 */
export function runtimeFiles(entry: string, sources: readonly string[]): RuntimeFiles {
  const addon = dirname(require.resolve("isolated-vm/package.json"));
  const loader = dirname(createRequire(`${addon}/package.json`).resolve("node-gyp-build/package.json"));
  return {
    node: realpathSync(process.execPath),
    libraries: loadedLibraries(),
    program: [...new Set([entry, addon, loader, ...sources])],
  };
}

function loadedLibraries(): string[] {
  const report = process.report as ReportOptions;
  const before = { excludeNetwork: report.excludeNetwork, excludeEnv: report.excludeEnv };
  // Looking up names of peers takes long, and nobody asked for the environment.
  Object.assign(report, { excludeNetwork: true, excludeEnv: true });
  const { sharedObjects = [] } = report.getReport() as { sharedObjects?: string[] };
  Object.assign(report, before);
  return sharedObjects.filter((path) => path.startsWith("/") && !path.endsWith(".node") && existsSync(path));
}
