import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A small file in a folder of its own, which nobody but this user can enter; both go with it. */
export interface PrivateFile extends Disposable {
  readonly path: string;
}

/**
 * Files in memory, where the system has such: on a disk both the start of a host, which the spawner waits for, and each slice
 * in it could wait for what others write.
 */
const MEMORY_FOLDER = writableFolder("/dev/shm");

/** @param bytes what it will ever hold: there is room for it from here on, or none to begin with */
export function createPrivateFile(bytes: Uint8Array): PrivateFile {
  try {
    if (MEMORY_FOLDER !== undefined) return createBelow(MEMORY_FOLDER, bytes);
  } catch {
    // It is full: then on the disk.
  }
  return createBelow(tmpdir(), bytes);
}

/** Takes its name from a file that is open where it is needed, and its folder. */
export function removePrivateFile(path: string): void {
  rmSync(dirname(path), { recursive: true, force: true });
}

function createBelow(parent: string, bytes: Uint8Array): PrivateFile {
  const folder = mkdtempSync(join(parent, "sous-"));
  const file: PrivateFile = {
    path: join(folder, "file"),
    [Symbol.dispose]: () => removePrivateFile(file.path),
  };
  try {
    writeFileSync(file.path, bytes, { mode: 0o600 });
    return file;
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

function writableFolder(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}
