import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, join, relative, resolve, sep } from "node:path";
import { LIMITS } from "@sous/contract/limits";
import { CliError } from "../client/cli-error.ts";

/** A function as it lies in a folder. */
export interface FunctionFolder {
  /** Absolute, links resolved. */
  path: string;
  /** The folder's own name. */
  name: string;
  manifest: FolderManifest;
  files: Map<string, Buffer>;
  bytes: number;
}

/** What of the manifest the command line itself needs; the server checks all of it. */
export interface FolderManifest {
  runtime?: string;
  entry: string;
  handler?: string;
}

/** Folders and files that are never part of a function: dependencies, history, what editors leave. */
export const isLeftOut = (name: string): boolean =>
  name.startsWith(".") || name === "node_modules" || /(~|\.sw[a-p]|\.tmp|^4913|^#.*#)$/.test(name);

/**
 * Reads a function's folder.
 * @throws CliError without a manifest that can be read, over the bundle's bounds, or where a link leads outside
 */
export async function readFunctionFolder(folder: string): Promise<FunctionFolder> {
  const path = await realpath(folder).catch((cause: unknown) => {
    throw new CliError(`there is no folder ${folder}`, { cause });
  });
  const files = new Map<string, Buffer>();
  await collect(path, path, files);
  const text = files.get("manifest.json");
  if (text === undefined) {
    throw new CliError(`${folder} has no manifest.json`, { hint: "`cs fn init <name>` writes one." });
  }
  const bytes = [...files.values()].reduce((sum, content) => sum + content.length, 0);
  return { path, name: basename(path), manifest: readManifest(text, path), files, bytes };
}

/** @returns whether a function lies in this folder */
export const hasManifest = (folder: string): Promise<boolean> =>
  stat(join(folder, "manifest.json")).then(
    (found) => found.isFile(),
    () => false,
  );

/**
 * Finds functions: the folder itself where it has a manifest, otherwise every folder directly below that has one.
 * @returns absolute paths, links resolved, sorted
 */
export async function findFunctionFolders(root: string): Promise<string[]> {
  const path = await realpath(root).catch((cause: unknown) => {
    throw new CliError(`there is no folder ${root}`, { cause });
  });
  if (await hasManifest(path)) return [path];
  const entries = await readdir(path, { withFileTypes: true });
  const candidates = entries
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !isLeftOut(entry.name))
    .map((entry) => join(path, entry.name));
  const found: string[] = [];
  for (const candidate of candidates.sort()) {
    if (await hasManifest(candidate)) found.push(await realpath(candidate));
  }
  return found;
}

async function collect(root: string, folder: string, files: Map<string, Buffer>): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (isLeftOut(entry.name)) continue;
    const path = join(folder, entry.name);
    const real = entry.isSymbolicLink() ? await realpath(path) : path;
    // A link out of the folder would publish files nobody meant to.
    if (real !== root && !real.startsWith(root + sep)) {
      throw new CliError(`${relative(root, path)} is a link to ${real}, outside the function's folder`, {
        hint: "Copy what the function needs into its folder.",
      });
    }
    const kind = entry.isSymbolicLink() ? await stat(real) : entry;
    if (kind.isDirectory()) {
      if (entry.isSymbolicLink()) continue;
      await collect(root, path, files);
    } else if (kind.isFile()) {
      files.set(relative(root, path).split(sep).join("/"), await readBounded(path, files));
    }
  }
}

async function readBounded(path: string, files: ReadonlyMap<string, Buffer>): Promise<Buffer> {
  if (files.size >= LIMITS.bundleFilesMax) {
    throw new CliError(`the folder holds more than ${LIMITS.bundleFilesMax} files`, {
      hint: "Deploy the folder of the function alone.",
    });
  }
  const { size } = await stat(path);
  if (size > LIMITS.bundleBytesMax) {
    throw new CliError(`${resolve(path)} is larger than a bundle may be (${LIMITS.bundleBytesMax} bytes)`);
  }
  return readFile(path);
}

function readManifest(text: Buffer, folder: string): FolderManifest {
  let value: Record<string, unknown> | null;
  try {
    value = JSON.parse(text.toString("utf8"));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "not JSON";
    throw new CliError(`${join(folder, "manifest.json")} is not JSON: ${why}`, { cause });
  }
  const entry = value?.["entry"];
  if (typeof entry !== "string") {
    throw new CliError(`${join(folder, "manifest.json")} names no entry`, {
      hint: 'Add "entry": "function.js".',
    });
  }
  const textOf = (key: string): string | undefined => {
    const field = value?.[key];
    return typeof field === "string" ? field : undefined;
  };
  const runtime = textOf("runtime");
  const handler = textOf("handler");
  return {
    entry,
    ...(runtime === undefined ? {} : { runtime }),
    ...(handler === undefined ? {} : { handler }),
  };
}
