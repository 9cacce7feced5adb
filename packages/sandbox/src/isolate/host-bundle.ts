import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withBundler } from "./bundler.ts";
import { writeReadable } from "./write-readable.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

/** A program of a sandbox host, ready to be run. */
export interface HostProgram {
  /** The file to run. */
  file: string;
  /** Folders the file's own imports come from, where it is the sources' entry and no bundle. */
  sources: readonly string[];
}

/** The programs of the isolate driver: the host, what closes itself and becomes it, and what starts them. */
export const HOST_PROGRAMS = {
  host: join(HERE, "host", "main.ts"),
  jail: join(HERE, "closing", "self-jail.ts"),
  spawner: join(HERE, "spawner", "main.ts"),
} as const;

/**
 * Bundles a program's sources into one JavaScript file beside the installed libraries, so that it starts
 * without stripping types and resolving modules: half the time, and megabytes less in each.
 * @param entry a file of `HOST_PROGRAMS`, or another that closes itself as they do
 * @returns the file to run; the sources' own entry where no file can be kept
 */
export async function bundleHostProgram(entry: string): Promise<HostProgram> {
  const modules = join(dirname(require.resolve("esbuild/package.json")), "..");
  const directory = join(modules, ".cache", "sous");
  const name = basename(entry) === "main.ts" ? basename(dirname(entry)) : basename(entry, ".ts");
  const file = join(directory, `${name}-${cacheKey(entry)}.mjs`);
  if (existsSync(file)) return { file, sources: [] };
  const { outputFiles } = await withBundler((build) =>
    build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      format: "esm",
      platform: "node",
      target: "node26",
      external: ["isolated-vm"],
      logLevel: "silent",
      tsconfigRaw: "{}",
    }),
  );
  try {
    writeReadable(file, outputFiles[0]?.contents ?? "");
    return { file, sources: [] };
  } catch {
    // A read-only installation runs the sources.
    return { file: entry, sources: [modules, join(HERE, "..", "..", "..")] };
  }
}

/** Names the state of everything the bundle is made of, without reading it. */
function cacheKey(entry: string): string {
  const hash = createHash("sha256");
  const contract = dirname(fileURLToPath(import.meta.resolve("@sous/contract/limits")));
  const guest = dirname(fileURLToPath(import.meta.resolve("@sous/guest")));
  const files = [
    entry,
    ...sourcesIn(HERE),
    ...sourcesIn(join(HERE, "host")),
    ...sourcesIn(join(HERE, "closing")),
    ...sourcesIn(join(HERE, "spawner")),
    ...sourcesIn(contract),
    ...sourcesIn(guest),
  ];
  for (const file of files) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex").slice(0, 32);
}

const sourcesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .toSorted()
    .map((name) => join(folder, name));
