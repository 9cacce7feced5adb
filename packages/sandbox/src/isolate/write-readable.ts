import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Writes a file that every user may read, as sandbox hosts may be other users, whatever the umask of this process is:
 * beside it and renamed, so that nobody ever reads half of it. Its folder is made readable too, and the one above is opened for
 * passing: whoever was first to write there may have made them under another umask.
 * @throws what the file system says; nothing is left then
 */
export function writeReadable(file: string, contents: string | Uint8Array): void {
  const directory = dirname(file);
  const temporary = `${file}.${randomUUID()}`;
  mkdirSync(directory, { recursive: true });
  open(directory, 0o055);
  open(dirname(directory), 0o011);
  try {
    writeFileSync(temporary, contents);
    chmodSync(temporary, 0o644);
    renameSync(temporary, file);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause;
  }
}

/** Only root has hosts of other users, and root may open what it finds; anybody else goes on without. */
function open(folder: string, bits: number): void {
  const { mode } = statSync(folder);
  if ((mode & bits) === bits) return;
  try {
    chmodSync(folder, (mode & 0o7777) | bits);
  } catch {
    // It is somebody else's.
  }
}
