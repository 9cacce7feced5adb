import ffi from "node:ffi";

const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const PR_SET_NO_NEW_PRIVS = 38;
const SIGKILL = 9n;

/** What the process gave up. */
export interface GivenUp {
  noNewPrivileges: boolean;
  diesWithParent: boolean;
}

/**
 * Gives up what the process does not need: supplementary groups, root, new privileges, core dumps; and asks
 * the kernel to end it with its parent. The order matters: a change of user clears the parent-death signal.
 * @param uid the user and group to become, `null` to stay
 * @param parentPid the parent as it knows itself; when it is gone already the process ends at once
 */
export function dropPrivileges(uid: number | null, parentPid: number): GivenUp {
  if (uid !== null) {
    process.setgroups?.([]);
    process.setgid?.(uid);
    process.setuid?.(uid);
  }
  if (process.platform !== "linux") return { noNewPrivileges: false, diesWithParent: false };
  const { functions } = ffi.dlopen("libc.so.6", {
    prctl: { arguments: ["i32", "u64", "u64", "u64", "u64"], return: "i32" },
  });
  const set = (option: number, value: bigint): boolean => functions.prctl(option, value, 0n, 0n, 0n) === 0;
  const diesWithParent = set(PR_SET_PDEATHSIG, SIGKILL);
  if (process.ppid !== parentPid) process.kill(process.pid, "SIGKILL");
  const noNewPrivileges = set(PR_SET_NO_NEW_PRIVS, 1n);
  set(PR_SET_DUMPABLE, 0n);
  return { noNewPrivileges, diesWithParent };
}
