import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withBundler } from "./bundler.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
const ENTRY = join(HERE, "host", "main.ts");
const require = createRequire(import.meta.url);

/**
 * Bundles the host's sources into one JavaScript file beside the installed libraries, so that a host starts
 * without stripping types and resolving modules: half the time, and megabytes less in each.
 * @returns the file to run; the sources' own entry where no file can be kept
 */
export async function hostEntry(): Promise<string> {
  const directory = join(dirname(require.resolve("esbuild/package.json")), "..", ".cache", "sous");
  const file = join(directory, `host-${cacheKey()}.mjs`);
  if (existsSync(file)) return file;
  const { outputFiles } = await withBundler((build) =>
    build({
      entryPoints: [ENTRY],
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
  const temporary = `${file}.${randomUUID()}`;
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(temporary, outputFiles[0]?.contents ?? "", { mode: 0o644 });
    renameSync(temporary, file);
    return file;
  } catch {
    // A read-only installation runs the sources.
    rmSync(temporary, { force: true });
    return ENTRY;
  }
}

/** Names the state of everything the bundle is made of, without reading it. */
function cacheKey(): string {
  const hash = createHash("sha256");
  const contract = dirname(fileURLToPath(import.meta.resolve("@sous/contract/limits")));
  const guest = dirname(fileURLToPath(import.meta.resolve("@sous/guest")));
  const files = [
    ...sourcesIn(HERE),
    ...sourcesIn(join(HERE, "host")),
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
