import type { FunctionError, Manifest } from "@sous/contract";
import { decodeText } from "./parse-manifest.ts";
import type { BundleContents } from "./read-bundle.ts";
import type { TypeStripper } from "./type-stripper.ts";

/** A program as a sandbox takes it: modules as text by their path in the bundle, types stripped. */
export interface RunnableProgram {
  ok: true;
  sha256: string;
  files: ReadonlyMap<string, string>;
  manifest: Manifest;
  /** What it weighs in memory at most, in bytes. */
  bytes: number;
}

/** A program that cannot run. `settled`: it never will; otherwise another try may go well. */
export interface BrokenProgram {
  ok: false;
  sha256: string;
  /** Always of type `BundleError`; the message names file and line where there are any. */
  error: FunctionError;
  settled: boolean;
}

export type PreparedProgram = RunnableProgram | BrokenProgram;

export interface PrepareOptions {
  sha256: string;
  contents: BundleContents;
  stripper: TypeStripper;
}

const TYPESCRIPT = /\.m?ts$/;
const DECLARATIONS = /\.d\.m?ts$/;
const MODULE = /\.(?:m?js|m?ts|json)$/;

/**
 * Makes text modules of a bundle's files: `.js`, `.mjs`, `.json` as they are, `.ts` and `.mts` without their
 * types under the same path. Other files and files that are not UTF-8 are left out; the entry always counts.
 * @returns never rejects: a file that cannot be stripped makes a broken program
 */
export async function prepareProgram(options: PrepareOptions): Promise<PreparedProgram> {
  const { sha256, contents, stripper } = options;
  const { manifest } = contents;
  const files = new Map<string, string>();
  let bytes = 0;
  for (const [path, content] of contents.files) {
    if (DECLARATIONS.test(path) || !(MODULE.test(path) || path === manifest.entry)) continue;
    let text = decodeText(content);
    if (text === undefined) continue;
    if (TYPESCRIPT.test(path)) {
      // One at a time: programs that are prepared at once then take turns at the one worker.
      const stripped = await stripper.strip(path, text);
      if (!stripped.ok) return brokenProgram(sha256, stripped.reason, stripped.settled);
      text = stripped.code;
    }
    files.set(path, text);
    bytes += 2 * (path.length + text.length);
  }
  return { ok: true, sha256, files, manifest, bytes };
}

/** @returns a program that answers every activation with a BundleError */
export const brokenProgram = (sha256: string, message: string, settled: boolean): BrokenProgram => ({
  ok: false,
  sha256,
  error: { type: "BundleError", message },
  settled,
});
