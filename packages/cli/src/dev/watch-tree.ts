import { watch } from "node:fs";
import { join, sep } from "node:path";
import { isLeftOut } from "../deploy/function-folder.ts";

export interface WatchTreeOptions {
  /** Absolute, links resolved. */
  root: string;
  /** Called with the absolute path of what changed; often several times for one save. */
  onChange(path: string): void;
  onError(error: Error): void;
}

const isPathLeftOut = (path: string): boolean => path.split(sep).some(isLeftOut);

/**
 * Watches a folder and everything below, without dependencies, history and editors' files.
 * @returns a function that stops watching
 */
export function watchTree({ root, onChange, onError }: WatchTreeOptions): () => void {
  const watcher = watch(root, { recursive: true, ignore: isPathLeftOut }, (_event, path) => {
    if (path !== null && !isPathLeftOut(path)) onChange(join(root, path));
  });
  watcher.on("error", onError);
  return () => watcher.close();
}
