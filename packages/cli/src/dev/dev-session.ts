import { realpath } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import type { SecretGrant } from "@sous/contract";
import type { ApiClient } from "../client/api-client.ts";
import { findFunctionFolders } from "../deploy/function-folder.ts";
import { createFolderDeployer, type DevEvent } from "./folder-deployer.ts";
import { watchTree } from "./watch-tree.ts";

export interface DevSessionOptions {
  api: ApiClient;
  /** Folders with a function, or with folders of functions; absolute. */
  roots: readonly string[];
  /** Aliases that follow every deploy. */
  aliases: readonly string[];
  /** Secrets that every function here may use (none). */
  secrets?: readonly SecretGrant[];
  /** How long a burst of changes must be over before it is acted on, in milliseconds (30). */
  debounceMs?: number;
  report(event: DevEvent): void;
}

/** Functions in folders, deployed once and again with each change until the session is closed. */
export interface DevSession extends AsyncDisposable {
  /** Functions in service, by name, with their newest version. */
  readonly versions: ReadonlyMap<string, number>;
  /** Publishes every folder again, changed or not. */
  redeployAll(): Promise<void>;
}

/** A folder that is watched: a function, or a folder of functions. */
interface WatchedRoot {
  path: string;
  isFunction: boolean;
}

/**
 * Deploys every function below the roots and watches them from then on. Deploys happen one at a time; what changes
 * while one runs is picked up after it, so the last state on disk is always the one in service.
 * @throws CliError for a root that is not there
 */
export async function startDevSession(options: DevSessionOptions): Promise<DevSession> {
  const { api, aliases, secrets = [], debounceMs = 30, report } = options;
  const deployer = createFolderDeployer({ api, aliases, secrets, report });
  const { roots, folders } = await findRoots(options.roots);
  const dirty = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let queue: Promise<void> = Promise.resolve();
  let closed = false;

  const enqueue = (work: () => Promise<void>): Promise<void> => (queue = runAfter(queue, work));
  const flush = (): void => {
    const batch = [...dirty];
    dirty.clear();
    void enqueue(async () => {
      for (const [path, sinceMs] of batch) {
        if (!closed) await deployer.deploy({ path, sinceMs, force: false });
      }
    });
  };
  const onChange = (root: WatchedRoot, path: string): void => {
    const folder = functionFolderOf(root, path);
    if (folder === undefined || closed) return;
    if (!dirty.has(folder)) dirty.set(folder, performance.now());
    clearTimeout(timer);
    timer = setTimeout(flush, debounceMs);
  };

  // Watching begins first: what is saved during the first deploy is seen.
  const stops = roots.map((root) =>
    watchTree({
      root: root.path,
      onChange: (path) => onChange(root, path),
      onError: ({ message }) => report({ type: "watch_failed", folder: root.path, message }),
    }),
  );
  await enqueue(async () => {
    for (const path of folders) await deployer.deploy({ path, sinceMs: performance.now(), force: false });
  });

  return {
    versions: deployer.versions,
    redeployAll: () =>
      enqueue(async () => {
        for (const path of deployer.folders.values()) {
          if (!closed) await deployer.deploy({ path, sinceMs: performance.now(), force: true });
        }
      }),
    async [Symbol.asyncDispose]() {
      closed = true;
      clearTimeout(timer);
      for (const stop of stops) stop();
      await queue;
    },
  };
}

async function runAfter(earlier: Promise<void>, work: () => Promise<void>): Promise<void> {
  await earlier;
  await work();
}

async function findRoots(paths: readonly string[]): Promise<{ roots: WatchedRoot[]; folders: string[] }> {
  const roots = new Map<string, WatchedRoot>();
  const folders = new Set<string>();
  for (const given of paths) {
    const found = await findFunctionFolders(given);
    const path = await realpath(given);
    roots.set(path, { path, isFunction: found.includes(path) });
    for (const folder of found) {
      folders.add(folder);
      // A link among the folders leads elsewhere, where the watch of the root does not reach.
      if (folder !== path && dirname(folder) !== path) roots.set(folder, { path: folder, isFunction: true });
    }
  }
  return { roots: [...roots.values()], folders: [...folders] };
}

/** @returns the folder of the function that a path belongs to, which may be only now becoming one */
function functionFolderOf(root: WatchedRoot, path: string): string | undefined {
  if (root.isFunction) return root.path;
  const [first] = relative(root.path, path).split(sep);
  return first === undefined || first === "" || first === ".." ? undefined : join(root.path, first);
}
