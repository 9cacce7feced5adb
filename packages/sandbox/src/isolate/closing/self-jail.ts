/**
 * Runs instead of a host where no bubblewrap can: closes itself from inside with what needs no helper
 * and becomes the host by an exec, which also leaves behind every thread that was not closed.
 *
 * Its one argument is the JSON of `JailOptions`.
 */
import { HOST_FDS } from "../protocol.ts";
import { launchFilter } from "./host-filters.ts";
import { installFilter } from "./install-filter.ts";
import { restrictFiles } from "./landlock.ts";
import { filterArch } from "./system-call-numbers.ts";
import { openSystemCalls } from "./system-calls.ts";

export interface JailOptions {
  /** Path of Node, then its arguments. */
  command: readonly string[];
  /** What may be read. */
  reads: readonly string[];
}

const F_SETFD = 2;
const PR_SET_NO_NEW_PRIVS = 38;
/** Network, messages, host name: what root can leave behind without a process in between. */
const NAMESPACES = 0x40000000 | 0x08000000 | 0x04000000;

const { command, reads } = JSON.parse(process.argv[2] ?? "{}") as JailOptions;
const system = openSystemCalls();
const arch = filterArch();
if (system !== undefined && arch !== undefined) {
  for (const fd of Object.values(HOST_FDS)) system.call("fcntl", fd, F_SETFD, 0);
  if (process.getuid?.() === 0) system.call("unshare", NAMESPACES);
  system.call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  restrictFiles(system, reads);
  installFilter(system, launchFilter(arch), "thread");
}
process.execve?.(command[0] ?? "", [...command], {});
