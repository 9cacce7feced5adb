import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Writes a file that every user may read, as sandbox hosts may be other users, whatever the umask of this process is:
 * beside it and renamed, so that nobody ever reads half of it. Folders that are not there are made as readable.
 * @throws what the file system says; nothing is left then
 */
export function writeReadable(file: string, contents: string | Uint8Array): void {
  const directory = dirname(file);
  const temporary = `${file}.${randomUUID()}`;
  const first = mkdirSync(directory, { recursive: true });
  if (first !== undefined) {
    for (let folder = directory; folder.startsWith(first); folder = dirname(folder)) chmodSync(folder, 0o755);
  }
  try {
    writeFileSync(temporary, contents);
    chmodSync(temporary, 0o644);
    renameSync(temporary, file);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause;
  }
}
