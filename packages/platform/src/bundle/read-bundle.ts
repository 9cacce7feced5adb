import { LIMITS, type Manifest, PlatformError } from "@sous/contract";
import { bundlePathProblem, pathConflict, quote } from "./bundle-path.ts";
import { sha256Hex } from "./build-bundle.ts";
import { parseManifest } from "./parse-manifest.ts";
import { paddedSize, readUstarHeader, TAR_BLOCK_BYTES, TAR_END_BYTES, ustarHeader } from "./ustar.ts";

/** The contents of a bundle. The files are views into the tar: do not change them. */
export interface BundleContents {
  files: Map<string, Uint8Array>;
  manifest: Manifest;
}

/**
 * Reads a bundle that `buildBundle` wrote, and nothing else: each header must be byte for byte the one that
 * function writes, so links, devices, pax and GNU entries, other owners and unsorted names are all refused.
 * @param tar at most 16 MiB
 * @param sha256 lower-case hex the bytes must hash to; not checked when absent
 * @throws CS_RUNTIME_BUNDLE_INVALID with the manifest's `details.issues` where it is the manifest
 */
export function readBundle(tar: Uint8Array, sha256?: string): BundleContents {
  if (tar.byteLength > LIMITS.bundleBytesMax) throw invalid("it is over 16 MiB");
  if (sha256 !== undefined && sha256Hex(tar) !== sha256) {
    throw invalid(`its bytes do not hash to ${quote(sha256)}`);
  }
  const files = readEntries(tar);
  const conflict = pathConflict(files.keys());
  if (conflict !== undefined) throw invalid(conflict);
  try {
    return { files, manifest: parseManifest(files) };
  } catch (error) {
    if (error instanceof PlatformError) throw invalid(error.message, error);
    throw error;
  }
}

function readEntries(tar: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const end = tar.byteLength - TAR_END_BYTES;
  let at = 0;
  let last = "";
  while (at < end) {
    const { path, size } = readEntry(tar.subarray(at, at + TAR_BLOCK_BYTES));
    if (files.size === LIMITS.bundleFilesMax) throw invalid("it holds too many files");
    if (path <= last) throw invalid(`${quote(path)} is out of order or there twice`);
    const from = at + TAR_BLOCK_BYTES;
    at = from + paddedSize(size);
    if (at > end) throw invalid(`${quote(path)} is cut off`);
    if (!isZero(tar.subarray(from + size, at))) throw invalid(`${quote(path)} has bytes behind its end`);
    files.set(path, tar.subarray(from, from + size));
    last = path;
  }
  if (at !== end || !isZero(tar.subarray(end))) throw invalid("it does not end in two empty blocks");
  return files;
}

function readEntry(header: Uint8Array): { path: string; size: number } {
  const entry = readUstarHeader(header);
  if (entry === undefined) throw invalid("a header is not text");
  const problem = bundlePathProblem(entry.path);
  if (problem !== undefined) throw invalid(`the path ${quote(entry.path)} ${problem}`);
  if (Buffer.compare(header, ustarHeader(entry.path, entry.size)) !== 0) {
    throw invalid(`the header of ${quote(entry.path)} is not canonical`);
  }
  return entry;
}

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

function invalid(reason: string, cause?: PlatformError): PlatformError {
  const details = cause?.details === undefined ? {} : { details: cause.details };
  return new PlatformError("CS_RUNTIME_BUNDLE_INVALID", `The bundle cannot be read: ${reason}`, {
    ...details,
    cause,
  });
}
