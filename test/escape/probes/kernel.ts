import type { SystemCall } from "../../../packages/sandbox/src/isolate/closing/system-call-numbers.ts";
import { answerOf, attempt, type EscapeProbe } from "../probe.ts";

const X32_GETPID = 0x40000000 + 39;

/** Calls that only somebody who wants out makes: each is the end of the process. */
const FATAL: readonly [name: string, call: SystemCall, ...values: number[]][] = [
  ["tracing another process", "ptrace", 16, 1],
  ["reading another process's memory", "process_vm_readv", 1, 0, 0, 0, 0, 0],
  ["a program for the kernel", "bpf", 0, 0, 0],
  ["performance counters", "perf_event_open", 0, 0, -1, -1, 0],
  ["faults handled by itself", "userfaultfd", 1],
  ["the kernel's key ring", "keyctl", 0, -3, 0],
  ["a key", "add_key", 0, 0, 0, 0, -3],
  ["mounting", "mount", 0, 0, 0, 0, 0],
  ["another root", "pivot_root", 0, 0],
  ["another root, the old way", "chroot", 0],
  ["a user namespace", "unshare", 0x10000000],
  ["a mount namespace", "unshare", 0x00020000],
  ["another's namespace", "setns", 3, 0],
  ["a kernel module", "init_module", 0, 0, 0],
  ["another kernel", "kexec_load", 0, 0, 0, 0],
  ["a file by its handle", "open_by_handle_at", 3, 0, 0],
  ["a descriptor of another process", "pidfd_open", 1, 0],
  ["the kernel's log", "syslog", 2, 0, 0],
  ["another personality", "personality", 0x0040000],
];

const UNKNOWN: readonly [name: string, call: SystemCall, ...values: number[]][] = [
  ["an io_uring", "io_uring_setup", 8, 0],
  ["entering an io_uring", "io_uring_enter", 0, 0, 0, 0, 0, 0],
];

const REFUSED: readonly [name: string, call: SystemCall, ...values: number[]][] = [
  ["shared memory of System V", "shmget", 0, 4096, 0o1600],
  ["a message queue", "msgget", 0, 0o1600],
  ["a semaphore", "semget", 0, 1, 0o1600],
  ["watching files", "inotify_init1", 0],
  ["another filter over this one", "seccomp", 1, 0, 0],
  ["reading the clock's settings", "adjtimex", 0],
];

const of =
  (locked: readonly string[], alone: boolean, launched?: readonly string[]) =>
  ([name, call, ...values]: readonly [string, SystemCall, ...number[]]): EscapeProbe => ({
    name,
    run: ({ system }) => answerOf(system.call(call, ...values)),
    locked,
    alone,
    ...(launched === undefined ? {} : { launched }),
  });

/** The kernel's own surface. */
export const KERNEL_PROBES: readonly EscapeProbe[] = [
  ...FATAL.map(of(["killed"], true)),
  ...UNKNOWN.map(of(["ENOSYS"], false)),
  ...REFUSED.map(of(["EPERM"], false, ["EPERM", "EFAULT"])),
  {
    name: "a system call by the numbers of x32",
    run: async () => {
      const ffi = await import("node:ffi");
      const { functions } = ffi.dlopen(null, { syscall: { arguments: ["i64"], return: "i64" } });
      return attempt(() => (functions.syscall(BigInt(X32_GETPID)) >= 0n ? "done" : "refused"));
    },
    locked: process.arch === "x64" ? ["killed"] : ["refused"],
    alone: true,
  },
];
