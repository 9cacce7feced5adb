import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { LIMITS } from "@sous/contract/limits";
import type { BuildOptions, BuildResult, Plugin } from "esbuild";
import { type Build, withBundler } from "./bundler.ts";
import { writeReadable } from "./write-readable.ts";

/** The scripts of the guest, ready to be compiled in an isolate. */
export interface GuestBundle {
  /** Runs first in every context; leaves `BOOTSTRAP_GLOBAL` for the host. */
  core: string;
  /** Lazy parts of the web platform, by the names `GuestHost.load` is called with. */
  parts: Record<string, string>;
  /** Hash over core and parts, for whoever keeps compiled code of them. */
  sha256: string;
}

export interface GuestBundleOptions {
  /** Where bundles are kept (`node_modules/.cache/sous` beside the installed esbuild). */
  cacheDirectory?: string;
}

/** Changes whenever the shape of a cache file or the build options below do. */
const CACHE_FORMAT = "2";
const PART_FILE = /^(.+)-part\.ts$/;
const require = createRequire(import.meta.url);

/**
 * Bundles the guest's sources and the libraries they use into plain scripts.
 *
 * The result is kept on disk under a key of the sources' sizes and times and the libraries' versions; a cache
 * that is missing, damaged or not writable costs the time of a build and nothing else.
 */
export async function loadGuestBundle(options: GuestBundleOptions = {}): Promise<GuestBundle> {
  const sources = dirname(fileURLToPath(import.meta.resolve("@sous/guest")));
  const directory = options.cacheDirectory ?? defaultCacheDirectory();
  const file = join(directory, `guest-${cacheKey(sources)}.json`);
  const cached = readCache(file);
  if (cached !== undefined) return cached;
  const bundle = await withBundler((build) => buildGuest(sources, build));
  writeCache(file, bundle);
  return bundle;
}

function defaultCacheDirectory(): string {
  return join(dirname(require.resolve("esbuild/package.json")), "..", ".cache", "sous");
}

/** Names the state of everything a bundle is made of, without reading the sources themselves. */
function cacheKey(sources: string): string {
  const hash = createHash("sha256").update(`${CACHE_FORMAT}\n`);
  for (const path of [...sourceFiles(sources), require.resolve("@sous/contract/limits")]) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  const manifest = join(sources, "..", "package.json");
  // Versions are pinned exactly, so the manifest names what is installed.
  hash.update(readFileSync(manifest)).update(readFileSync(require.resolve("esbuild/package.json")));
  return hash.digest("hex").slice(0, 32);
}

function sourceFiles(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

function readCache(file: string): GuestBundle | undefined {
  try {
    const bundle = JSON.parse(readFileSync(file, "utf8")) as GuestBundle;
    return bundle.sha256 === hashOf(bundle.core, bundle.parts) ? bundle : undefined;
  } catch {
    // Missing or damaged: it is made again.
    return undefined;
  }
}

function writeCache(file: string, bundle: GuestBundle): void {
  try {
    writeReadable(file, JSON.stringify(bundle));
  } catch {
    // A read-only installation works as well, it only builds at every start.
  }
}

function hashOf(core: string, parts: Record<string, string>): string {
  const hash = createHash("sha256").update(core);
  for (const name of Object.keys(parts).toSorted()) hash.update(`\0${name}\0${parts[name] ?? ""}`);
  return hash.digest("hex");
}

/** What a script must end in: a function as completion value would pin its context for ever. */
const footer = (name: string): string => `0;\n//# sourceURL=sous:guest/${name}.js`;

async function buildGuest(sources: string, build: Build): Promise<GuestBundle> {
  const core = await build({
    ...COMMON,
    entryPoints: [join(sources, "core", "bootstrap.ts")],
    minify: true,
    footer: { js: footer("core") },
  }).then(textOf);
  const partNames = readdirSync(join(sources, "parts")).flatMap((name) => PART_FILE.exec(name)?.[1] ?? []);
  const texts = await Promise.all(
    partNames.map((name) =>
      build({
        ...COMMON,
        entryPoints: [join(sources, "parts", `${name}-part.ts`)],
        globalName: "part",
        // Names of classes are part of the web platform, so they stay.
        minifyWhitespace: true,
        minifySyntax: true,
        keepNames: true,
        // The script itself only hands over a factory; in parentheses, so that V8 compiles it at once and
        // keeps it in the cached data.
        banner: { js: "__sous_part__(((context,globalThis)=>{" },
        ...standInsOf(name, sources),
        footer: { js: `return part.createPart(context)}));${footer(name)}` },
      }).then(textOf),
    ),
  );
  const parts: Record<string, string> = {};
  for (const [index, name] of partNames.entries()) parts[name] = texts[index] ?? "";
  return { core, parts, sha256: hashOf(core, parts) };
}

/** What the URL library pulls in for old documents and names outside ASCII is left out or loaded later. */
function standInsOf(part: string, sources: string): Pick<BuildOptions, "inject" | "alias"> {
  if (part !== "url") return {};
  const stand = (name: string): string => join(sources, "parts", name);
  return {
    inject: [stand("url-shared-buffer.ts")],
    alias: {
      tr46: stand("url-idna.ts"),
      "@exodus/bytes/encoding.js": stand("url-encodings.ts"),
      "@exodus/bytes/whatwg.js": stand("url-percent.ts"),
    },
  };
}

/** Puts the numbers of the limits in place of their names: the core uses a dozen of sixty and must stay small. */
const limitsAsNumbers: Plugin = {
  name: "limits-as-numbers",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]guest[\\/]src[\\/]core[\\/][^\\/]+\.ts$/ }, ({ path }) => ({
      loader: "ts",
      contents: readFileSync(path, "utf8").replaceAll(/\bLIMITS\.(\w+)/g, (name, key: string) =>
        key in LIMITS ? String(LIMITS[key as keyof typeof LIMITS]) : name,
      ),
    }));
  },
};

const COMMON = {
  bundle: true,
  write: false,
  format: "iife",
  platform: "neutral",
  target: "es2024",
  mainFields: ["module", "main"],
  charset: "ascii",
  legalComments: "none",
  logLevel: "silent",
  tsconfigRaw: "{}",
  plugins: [limitsAsNumbers],
} as const satisfies BuildOptions;

function textOf(result: BuildResult<{ write: false }>): string {
  return result.outputFiles.map((file) => file.text).join("");
}
