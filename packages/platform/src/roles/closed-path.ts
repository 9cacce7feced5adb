import { statSync } from "node:fs";
import { dirname } from "node:path";

const READ_BY_OTHERS = 0o004;
const ENTERED_BY_OTHERS = 0o001;

/**
 * Looks whether every user of this machine may read a file, as sandbox hosts of other users have to.
 * @param path of a file, absolute
 * @returns the outermost folder on the way to it that others may not enter, the file where they may not read it, or
 *   `undefined`
 */
export function closedPath(path: string): string | undefined {
  let closed = isClosed(path, READ_BY_OTHERS) ? path : undefined;
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if (isClosed(folder, ENTERED_BY_OTHERS)) closed = folder;
  }
  return closed;
}

const isClosed = (path: string, bit: number): boolean => (statSync(path).mode & bit) === 0;
