import { createHash } from "node:crypto";
import { LIMITS, type Manifest, PlatformError } from "@sous/contract";
import { bundlePathProblem, pathConflict, quote } from "./bundle-path.ts";
import { parseManifest } from "./parse-manifest.ts";
import { paddedSize, TAR_BLOCK_BYTES, TAR_END_BYTES, ustarHeader } from "./ustar.ts";

/** A function's files as one canonical tar, addressed by its hash. */
export interface Bundle {
  tar: Uint8Array;
  /** Lower-case hex of the hash over `tar`. */
  sha256: string;
  manifest: Manifest;
}

/**
 * Packs files into the canonical tar: sorted by UTF-16 code unit, ustar, mode 0644, owner 0, mtime 0. The same
 * files give the same bytes, and so the same hash, on every machine; paths are brought into Unicode NFC first,
 * as file systems spell them differently.
 * @param files contents by path, relative with `/` between folders; at most 1000 files and 16 MiB as a tar
 * @throws CS_VALIDATION_FAILED for a path or a pair of paths that is refused, or too many files
 * @throws CS_VALIDATION_BUNDLE_TOO_LARGE
 * @throws CS_VALIDATION_MANIFEST_INVALID with `details.issues`, also when the entry is missing
 */
export function buildBundle(files: ReadonlyMap<string, Uint8Array>): Bundle {
  if (files.size > LIMITS.bundleFilesMax) {
    throw refused(`A bundle holds at most ${LIMITS.bundleFilesMax} files; this one has ${files.size}`);
  }
  const sorted = sortFiles(files);
  const size = tarSize(sorted);
  if (size > LIMITS.bundleBytesMax) {
    const message = `The bundle takes ${size} bytes as a tar; at most ${LIMITS.bundleBytesMax} are allowed`;
    throw new PlatformError("CS_VALIDATION_BUNDLE_TOO_LARGE", message);
  }
  const manifest = parseManifest(sorted);
  const tar = new Uint8Array(size);
  let at = 0;
  for (const [path, content] of sorted) {
    tar.set(ustarHeader(path, content.byteLength), at);
    tar.set(content, at + TAR_BLOCK_BYTES);
    at += TAR_BLOCK_BYTES + paddedSize(content.byteLength);
  }
  return { tar, sha256: sha256Hex(tar), manifest };
}

/** @returns lower-case hex of the SHA-256 over the bytes */
export const sha256Hex = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function sortFiles(files: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  const spelled = [...files].map(([path, content]) => [path.normalize("NFC"), content] as const);
  for (const [path] of spelled) {
    const problem = bundlePathProblem(path);
    if (problem !== undefined) throw refused(`The path ${quote(path)} ${problem}`, path);
  }
  const conflict = pathConflict(spelled.map(([path]) => path));
  if (conflict !== undefined) throw refused(`In the bundle ${conflict}`);
  return new Map(spelled.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function tarSize(files: ReadonlyMap<string, Uint8Array>): number {
  let size = TAR_END_BYTES;
  for (const content of files.values()) size += TAR_BLOCK_BYTES + paddedSize(content.byteLength);
  return size;
}

function refused(message: string, path?: string): PlatformError {
  const details = path === undefined ? undefined : { details: { path: path.toWellFormed().slice(0, 300) } };
  return new PlatformError("CS_VALIDATION_FAILED", message, details);
}
