import { LIMITS } from "@sous/contract";

const NAME_BYTES_MAX = 100;
const PREFIX_BYTES_MAX = 155;
// Controls, format characters (bidi overrides, zero width) and line separators: names that lie in a log.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** The two fields a ustar header keeps a path in. */
export interface UstarPath {
  name: string;
  /** The leading folders, empty when the path fits into `name`. */
  prefix: string;
}

/**
 * Judges the path of a file inside a bundle.
 * @param path as it came from outside, already in Unicode NFC
 * @returns what is wrong with it, or `undefined`
 */
export function bundlePathProblem(path: string): string | undefined {
  if (path === "") return "is empty";
  if (!path.isWellFormed()) return "is not valid Unicode";
  if (path !== path.normalize("NFC")) return "is not in Unicode NFC";
  if (UNPRINTABLE.test(path)) return "holds control or invisible characters";
  if (path.includes("\\")) return "holds a backslash; separate folders with /";
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path))
    return "is absolute; name files relative to the bundle";
  for (const segment of path.split("/")) {
    if (segment === "") return "has an empty segment";
    if (segment === "." || segment === "..") return "has a . or .. segment";
    if (segment.endsWith(".") || segment.endsWith(" ")) return "has a segment that ends in a dot or space";
  }
  if (Buffer.byteLength(path) > LIMITS.bundlePathBytesMax) {
    return `is longer than ${LIMITS.bundlePathBytesMax} bytes`;
  }
  if (splitUstarPath(path) === undefined) return "has a name over 100 bytes or folders over 155 bytes";
  return undefined;
}

/**
 * Splits a path as POSIX ustar keeps it, at the first slash that lets the name fit, so that a path has
 * one split only.
 * @returns `undefined` when no split fits
 */
export function splitUstarPath(path: string): UstarPath | undefined {
  if (Buffer.byteLength(path) <= NAME_BYTES_MAX) return { name: path, prefix: "" };
  for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) {
    const name = path.slice(slash + 1);
    if (Buffer.byteLength(name) > NAME_BYTES_MAX) continue;
    const prefix = path.slice(0, slash);
    return Buffer.byteLength(prefix) <= PREFIX_BYTES_MAX ? { name, prefix } : undefined;
  }
  return undefined;
}

/**
 * Finds paths that one file system would keep apart and another would not: twins after case folding, and a
 * file that is also a folder.
 * @returns the first pair in words, or `undefined`
 */
export function pathConflict(paths: Iterable<string>): string | undefined {
  const files = new Map<string, string>();
  for (const path of paths) {
    const folded = foldCase(path);
    const twin = files.get(folded);
    if (twin !== undefined) return `${quote(path)} and ${quote(twin)} differ only in case or spelling`;
    files.set(folded, path);
  }
  for (const [folded, path] of files) {
    for (let slash = folded.indexOf("/"); slash !== -1; slash = folded.indexOf("/", slash + 1)) {
      const file = files.get(folded.slice(0, slash));
      if (file !== undefined) return `${quote(file)} is a file and a folder of ${quote(path)}`;
    }
  }
  return undefined;
}

// Upper first, then lower: folds ß with SS and the final sigma with the plain one, as file systems do.
const foldCase = (path: string): string => path.toUpperCase().toLowerCase().normalize("NFC");

/** @returns a path as it may stand in a message: quoted, escaped, at most 80 characters */
export const quote = (path: string): string => JSON.stringify(path.toWellFormed().slice(0, 80));
