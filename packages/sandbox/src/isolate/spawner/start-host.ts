import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { PlatformError } from "@sous/contract/errors";
import { bubblewrapArguments } from "../closing/bubblewrap.ts";
import { launchFilter } from "../closing/host-filters.ts";
import { killQuietly } from "../closing/kill-quietly.ts";
import type { Launcher } from "../closing/launchers.ts";
import { letHostRun, readHostPid, whileAlive } from "../closing/read-host-pid.ts";
import { filterArch } from "../closing/system-call-numbers.ts";
import { createPrivateFile, removePrivateFile } from "./private-file.ts";

export interface StartHostOptions {
  launcher: Launcher;
  /** User and group the host shall run as, `null` for those of this process. */
  uid: number | null;
  /** The host's marker, which it writes: a private file, which has no name from then on. */
  markerPath: string;
  /** Lists of processes of the control groups it shall be in, empty for none. */
  groupFiles: readonly string[];
}

/** A host process that has just been started, before it is known to be ready. */
export interface HostProcess {
  /** What was started: the host, or a launcher that ends as it does. */
  process: ChildProcess;
  /** The host itself. */
  pid: number;
  link: Socket;
}

/**
 * Starts a host process: no environment, no file descriptors but its link and its marker, standard error on
 * a pipe for the reason of a crash; in its control groups before it runs, where the launcher can hold it.
 * @throws CS_INTERNAL with what the launcher said
 */
export async function startHost(options: StartHostOptions): Promise<HostProcess> {
  const { launcher } = options;
  using failed = new DisposableStack();
  const child = launch(options);
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
    // With all its threads: the kernel may take tens of milliseconds.
    for (const file of options.groupFiles) await writeFile(file, String(pid));
    if (isHeld) letHostRun(child);
    return pid as number;
  };
  const host = { process: child, pid: await whileAlive(child, put()) };
  failed.move();
  return { ...host, link: child.stdio[3] as Socket };
}

function launch({ launcher, uid, markerPath }: StartHostOptions): ChildProcess {
  using opened = new DisposableStack();
  const markerFd = openSync(markerPath, "r+");
  opened.defer(() => closeSync(markerFd));
  removePrivateFile(markerPath);
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

/** The launch filter in a file without a name, for bubblewrap to read. */
function openFilter(): number {
  const arch = filterArch();
  if (arch === undefined) throw new PlatformError("CS_INTERNAL", `no system call filter for ${process.arch}`);
  using file = createPrivateFile(launchFilter(arch));
  return openSync(file.path, "r");
}
