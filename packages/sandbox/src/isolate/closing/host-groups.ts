import { mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CgroupPlace, type Controller, findCgroupPlaces, readControllers } from "./cgroup-places.ts";

/** The control group of one host. */
export interface HostGroup {
  /** Files a process is put in by, with all its threads: by its id, in each. */
  readonly processFiles: readonly string[];
  /** @param bytes of memory the host may hold, kernel and page cache included */
  limitMemory(bytes: number): void;
  /** Takes the processor time down to what a host may use; starting one may use more. */
  limitCpu(): void;
  /** Whether the kernel killed a process of the group for its memory. */
  outOfMemory(): boolean;
  /** Once the host has ended. */
  remove(): void;
}

/**
 * Makes control groups for hosts, with the controllers this process may use. What makes, fills and removes a group waits for
 * the kernel, and for each other, so none of it is done on the thread that serves calls.
 */
export interface HostGroups {
  readonly controllers: readonly Controller[];
  create(): Promise<HostGroup>;
  /** Removes what is left, once the hosts have ended. */
  close(): Promise<void>;
}

export interface HostGroupLimits {
  memoryBytes: number;
  /** Processors, as a fraction. */
  cpus: number;
  pids: number;
}

interface Base {
  controller: Controller;
  version: 1 | 2;
  folder: string;
}

const PERIOD_US = 100_000;
const REMOVE_RETRY_MS = 50;
const REMOVE_TRIES = 40;
const CLOSE_RETRY_MS = 10;
const CLOSE_TRIES = 50;
const NAME = /^sous-(\d+)-\d+$/;
/** Folders of groups this process has made: each driver has its own. */
let opened = 0;

/** @returns groups with the controllers that could be had, perhaps none */
export function openHostGroups(limits: HostGroupLimits): HostGroups {
  const base = `sous-${process.pid}-${++opened}`;
  const bases = process.platform === "linux" ? places().flatMap((place) => makeBase(place, base)) : [];
  let made = 0;
  const open = new Set<string>();
  return {
    controllers: bases.map((base) => base.controller),
    async create() {
      const name = `host-${++made}`;
      const folders = new Map(
        bases.map((base) => [base.controller, { ...base, folder: join(base.folder, name) }]),
      );
      const paths = new Set([...folders.values()].map((base) => base.folder));
      for (const path of paths) {
        await mkdir(path);
        open.add(path);
      }
      return createGroup(folders, [...paths], limits, (path) => open.delete(path));
    },
    async close() {
      for (let tries = 0; tries < CLOSE_TRIES; tries++) {
        for (const path of open) if (await isRemoved(path)) open.delete(path);
        const removed = await Promise.all(bases.map(({ folder }) => isRemoved(folder)));
        if (removed.every(Boolean)) return;
        await sleep(CLOSE_RETRY_MS);
      }
    },
  };
}

function createGroup(
  folders: ReadonlyMap<Controller, Base>,
  paths: readonly string[],
  limits: HostGroupLimits,
  onRemoved: (path: string) => void,
): HostGroup {
  const write = (
    controller: Controller,
    names: readonly [one: string, two: string],
    value: string | number,
  ): void => {
    const base = folders.get(controller);
    if (base !== undefined) writeFileSync(join(base.folder, names[base.version - 1] ?? ""), String(value));
  };
  const tryWrite: typeof write = (...given) => {
    try {
      write(...given);
    } catch {
      // Swap is accounted only where the kernel was built or started so.
    }
  };
  const limitMemory = (bytes: number): void => {
    // The sum of memory and swap may not be lower than memory: it goes up first.
    tryWrite(
      "memory",
      ["memory.memsw.limit_in_bytes", "memory.swap.max"],
      folders.get("memory")?.version === 2 ? 0 : bytes,
    );
    write("memory", ["memory.limit_in_bytes", "memory.max"], bytes);
    tryWrite(
      "memory",
      ["memory.memsw.limit_in_bytes", "memory.swap.max"],
      folders.get("memory")?.version === 2 ? 0 : bytes,
    );
  };
  limitMemory(limits.memoryBytes);
  write("pids", ["pids.max", "pids.max"], limits.pids);
  return {
    processFiles: paths.map((path) => join(path, "cgroup.procs")),
    limitMemory,
    limitCpu() {
      const quota = Math.round(limits.cpus * PERIOD_US);
      const two = folders.get("cpu")?.version === 2;
      write("cpu", ["cpu.cfs_quota_us", "cpu.max"], two ? `${quota} ${PERIOD_US}` : quota);
    },
    outOfMemory() {
      const base = folders.get("memory");
      if (base === undefined) return false;
      try {
        const text = readFileSync(
          join(base.folder, base.version === 1 ? "memory.oom_control" : "memory.events"),
          "utf8",
        );
        return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0) > 0;
      } catch {
        return false;
      }
    },
    remove: () => {
      for (const path of paths) void removeSoon(path).then((removed) => removed && onRemoved(path));
    },
  };
}

/** A folder goes only when the kernel is done with the process, a little after its end. @returns whether it is gone */
async function removeSoon(path: string): Promise<boolean> {
  for (let tries = 0; tries < REMOVE_TRIES; tries++) {
    if (await isRemoved(path)) return true;
    await sleep(REMOVE_RETRY_MS, undefined, { ref: false });
  }
  return false;
}

const isRemoved = (path: string): Promise<boolean> => rmdir(path).then(() => true, isGone);

const isGone = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

/** For what is left of others, before anybody is served. */
function removeQuietly(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Somebody is in it still, or it is gone.
  }
}

function places(): CgroupPlace[] {
  try {
    const mountInfo = readFileSync("/proc/self/mountinfo", "utf8");
    return findCgroupPlaces(mountInfo, readFileSync("/proc/self/cgroup", "utf8"), readControllers);
  } catch {
    return [];
  }
}

/** Makes the folder that will hold the hosts' groups, in the first place that takes it. */
function makeBase({ controller, version, folders }: CgroupPlace, name: string): Base[] {
  for (const parent of folders) {
    removeStale(parent);
    const folder = join(parent, name);
    try {
      if (version === 2) enable(parent, controller);
      mkdirSync(folder, { recursive: true });
      if (version === 2) enable(folder, controller);
      return [{ controller, version, folder }];
    } catch {
      removeQuietly(folder);
    }
  }
  return [];
}

/** Refused in a folder that has processes of its own: the next one up is tried then. */
function enable(folder: string, controller: Controller): void {
  const control = join(folder, "cgroup.subtree_control");
  if (readFileSync(control, "utf8").trim().split(" ").includes(controller)) return;
  writeFileSync(control, `+${controller}`);
}

/** What a platform that was killed has left. */
function removeStale(parent: string): void {
  try {
    for (const name of readdirSync(parent)) {
      const pid = NAME.exec(name)?.[1];
      if (pid === undefined || isAlive(Number(pid))) continue;
      const folder = join(parent, name);
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (entry.isDirectory()) removeQuietly(join(folder, entry.name));
      }
      removeQuietly(folder);
    }
  } catch {
    // Not ours to read: there is nothing of ours either.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
