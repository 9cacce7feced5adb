import { fstatSync, readdirSync } from "node:fs";
import { lockedFilter } from "../closing/host-filters.ts";
import { installFilter } from "../closing/install-filter.ts";
import { HOST_RLIMITS, limitResources, raiseOpenFiles } from "../closing/resource-limits.ts";
import { filterArch } from "../closing/system-call-numbers.ts";
import { openSystemCalls, type SystemCalls } from "../closing/system-calls.ts";
import { HOST_FDS } from "../protocol.ts";

const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const PR_SET_NO_NEW_PRIVS = 38;
const SIGKILL = 9;
const AF_INET = 2;
const SOCK_STREAM = 1;
const AT_FDCWD = -100;
const STDIN = 0;
const O_CLOEXEC = 0o2000000;

export interface CloseHostOptions {
  /** User and group to become, `null` to stay. */
  uid: number | null;
  /** The parent as it knows itself; `null` where the launcher ends the host with its parent and hides it. */
  parentPid: number | null;
  /** Threads of this user, where the user is this host's alone. */
  threadsMax: number | null;
  /**
   * Whether to put the last filter on. Only a host that started under the launch filter can bear it: another has an io_uring
   * open, which the filter would let pass, or end Node over.
   */
  lock: boolean;
}

/** What a host did to itself and what it could still do afterwards, as it says itself. */
export interface ClosedHost {
  diesWithParent: boolean;
  /** Whether every resource limit was taken. */
  limited: boolean;
  /** Whether the folder `/` was already out of reach before the last filter, as Landlock makes it. */
  rootRefused: boolean;
  /** 0 when the last filter is on; a negative error number; `null` where there is none. */
  locked: number | null;
  /** What the kernel answered, after the last filter, to opening a file, a socket, and more open files. */
  attempts: { open: number; socket: number; raise: number } | null;
}

/**
 * Closes this process for good: gives up groups, root, new privileges, core dumps and resources, asks the
 * kernel to end it with its parent, lets `prepare` do what still needs files, and then puts the last filter on
 * every thread. Nothing of a user may have arrived before, and nothing can be undone after.
 *
 * The order matters: a change of user clears the parent-death signal.
 */
export function closeHost(options: CloseHostOptions, prepare: () => void): ClosedHost {
  if (options.uid !== null) {
    process.setgroups?.([]);
    process.setgid?.(options.uid);
    process.setuid?.(options.uid);
  }
  const system = openSystemCalls();
  if (system === undefined) {
    prepare();
    return { diesWithParent: false, limited: false, rootRefused: false, locked: null, attempts: null };
  }
  const set = (option: number, value: number): boolean => system.call("prctl", option, value, 0, 0, 0) === 0;
  const diesWithParent = set(PR_SET_PDEATHSIG, SIGKILL);
  if (options.parentPid !== null && process.ppid !== options.parentPid) process.exit(1);
  set(PR_SET_NO_NEW_PRIVS, 1);
  set(PR_SET_DUMPABLE, 0);
  replaceFolders(system);
  const limited = limitResources(system, options.threadsMax);
  const rootRefused = isRootRefused();
  prepare();
  const locked = options.lock ? lock(system) : null;
  return { diesWithParent, limited, rootRefused, locked, attempts: locked === 0 ? tryAnyway(system) : null };
}

function lock(system: SystemCalls): number | null {
  const arch = filterArch();
  return arch === undefined ? null : installFilter(system, lockedFilter(arch, process.pid), "process");
}

/**
 * Puts /dev/null in the place of open folders. libuv keeps one descriptor in reserve, of `/` where there is no
 * /dev/null to open, and a folder is a place to start from for whoever finds a hole in the filter.
 */
function replaceFolders(system: SystemCalls): void {
  for (let fd = HOST_FDS.marker + 1; fd < HOST_RLIMITS.openFiles; fd++) {
    if (isFolder(fd)) system.call("dup3", STDIN, fd, O_CLOEXEC);
  }
}

function isFolder(fd: number): boolean {
  try {
    return fstatSync(fd).isDirectory();
  } catch {
    return false;
  }
}

function isRootRefused(): boolean {
  try {
    readdirSync("/");
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

/** Harmless attempts at what must not work any more. */
function tryAnyway(system: SystemCalls): ClosedHost["attempts"] {
  return {
    open: system.call("openat", AT_FDCWD, Buffer.from("/\0"), 0, 0),
    socket: system.call("socket", AF_INET, SOCK_STREAM, 0),
    raise: raiseOpenFiles(system),
  };
}
