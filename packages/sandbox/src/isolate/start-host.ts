import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import {
  accessSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex, Readable, Writable } from "node:stream";
import { PlatformError } from "@sous/contract";
import { bubblewrapArguments } from "./closing/bubblewrap.ts";
import type { HostGroup } from "./closing/host-groups.ts";
import { launchFilter } from "./closing/host-filters.ts";
import type { Launcher } from "./closing/launchers.ts";
import { letHostRun, readHostPid, whileAlive } from "./closing/read-host-pid.ts";
import { filterArch } from "./closing/system-call-numbers.ts";
import { killQuietly } from "./closing/kill-quietly.ts";
import type { StartedHost } from "./host-sandbox.ts";
import { MARKER_BYTES } from "./protocol.ts";

export interface StartHostOptions {
  launcher: Launcher;
  /** User and group the host shall run as, `null` for those of this process. */
  uid: number | null;
  group: HostGroup;
}

/**
 * Starts a host process: no environment, no file descriptors but its link and its marker, standard error on
 * a pipe for the reason of a crash; in its control group before it runs, where the launcher can hold it.
 * @throws CS_INTERNAL with what the launcher said
 */
export async function startHost(options: StartHostOptions): Promise<StartedHost> {
  const { launcher, group } = options;
  using failed = new DisposableStack();
  failed.defer(() => group.remove());
  const marker = openMarker();
  failed.defer(() => closeSync(marker.readFd));
  const child = launch(options, marker.writeFd);
  let pid = child.pid;
  failed.defer(() => killAll(child, pid));
  if (pid === undefined) {
    child.on("error", () => {});
    throw new PlatformError(
      "CS_INTERNAL",
      `${child.spawnfile} could not be started; see the limits on processes and memory`,
    );
  }
  const isHeld = launcher.kind === "bubblewrap";
  const put = async (): Promise<number> => {
    if (isHeld) pid = await readHostPid(child);
    await group.add(pid as number);
    if (isHeld) letHostRun(child);
    return pid as number;
  };
  const host = { process: child, pid: await whileAlive(child, put()), markerFd: marker.readFd, group };
  failed.move();
  return { ...host, link: child.stdio[3] as Duplex };
}

function launch({ launcher, uid }: StartHostOptions, markerFd: number): ChildProcess {
  using opened = new DisposableStack();
  opened.defer(() => closeSync(markerFd));
  const stdio: StdioOptions = ["ignore", "ignore", "pipe", "pipe", markerFd];
  if (launcher.kind === "bubblewrap") {
    const filter = openFilter();
    opened.defer(() => closeSync(filter));
    stdio.push(filter, "pipe", "pipe");
  }
  const [program = "", ...args] = launcherCommand(launcher);
  return spawn(program, args, {
    env: {},
    cwd: "/",
    stdio,
    windowsHide: true,
    ...(launcher.kind === "bubblewrap" && uid !== null ? { uid, gid: uid } : {}),
  });
}

function launcherCommand(launcher: Launcher): readonly string[] {
  const { kind, files, command } = launcher;
  switch (kind) {
    case "bubblewrap":
      return [launcher.bubblewrap, ...bubblewrapArguments({ files, command })];
    case "self-jail":
      return launcher.jail;
    case "plain":
      return command;
  }
}

/**
 * Ends a start that failed. A launcher that is killed before it has set its process up leaves that behind, and our end of
 * its files would stay open.
 */
function killAll(child: ChildProcess, host: number | undefined): void {
  for (const pid of childrenOf(child.pid)) killQuietly(pid);
  // Its launcher may have ended before it.
  if (host !== undefined && host !== child.pid) killQuietly(host);
  child.kill("SIGKILL");
  const streams: readonly (Readable | Writable | null | undefined)[] = child.stdio;
  for (const stream of streams) stream?.destroy();
}

function childrenOf(pid: number | undefined): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1");
    return text
      .split(" ")
      .map(Number)
      .filter((child) => child > 0);
  } catch {
    return [];
  }
}

/** A small file without a name: the host writes it, we read it, nobody else can reach it. */
function openMarker(): { writeFd: number; readFd: number } {
  return withoutName((path) => {
    // What it will ever hold: there is room for it from here on, or none to begin with.
    writeFileSync(path, new Uint8Array(MARKER_BYTES), { mode: 0o600 });
    return { writeFd: openSync(path, "r+"), readFd: openSync(path, "r") };
  });
}

/**
 * Files in memory, where the system has such: on a disk both the start of a host, which this process waits for, and each slice
 * in it could wait for what others write.
 */
const MEMORY_FOLDER = writableFolder("/dev/shm");

function writableFolder(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}

/** The launch filter in a file without a name, for bubblewrap to read. */
function openFilter(): number {
  const arch = filterArch();
  if (arch === undefined) throw new PlatformError("CS_INTERNAL", `no system call filter for ${process.arch}`);
  return withoutName((path) => {
    writeFileSync(path, launchFilter(arch), { mode: 0o600 });
    return openSync(path, "r");
  });
}

function withoutName<T>(open: (path: string) => T): T {
  try {
    if (MEMORY_FOLDER !== undefined) return inFolderOf(MEMORY_FOLDER, open);
  } catch {
    // It is full: then on the disk.
  }
  return inFolderOf(tmpdir(), open);
}

function inFolderOf<T>(parent: string, open: (path: string) => T): T {
  const folder = mkdtempSync(join(parent, "sous-"));
  try {
    return open(join(folder, "file"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
