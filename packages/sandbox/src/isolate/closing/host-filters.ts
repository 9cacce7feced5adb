import { type AllowRule, assembleFilter } from "./seccomp-program.ts";
import type { FilterArch, SystemCall } from "./system-call-numbers.ts";

const CLONE = { vm: 0x100, thread: 0x10000, namespaces: 0x7e020080 } as const;
/** `O_ACCMODE | O_CREAT | O_TRUNC | O_TMPFILE`: clear in an open that only reads. */
const OPEN_WRITES = 0o3 | 0o100 | 0o1000 | 0o20000000;
const F_SETFD = 2;
const FCNTL_COMMANDS = [1, F_SETFD, 3, 4] as const; // GETFD SETFD GETFL SETFL
const IOCTL_COMMANDS = [0x5421, 0x5450, 0x5451, 0x541b] as const; // FIONBIO FIONCLEX FIOCLEX FIONREAD
const PRCTL = {
  pdeathsig: 1,
  getDumpable: 3,
  setDumpable: 4,
  setName: 15,
  noNewPrivileges: 38,
  setVma: 0x53564d41,
} as const;

/** The most frequent calls of a host at work come first. */
const COMPUTE: readonly SystemCall[] = [
  "futex",
  "write",
  "read",
  "pwrite64",
  "epoll_pwait",
  "epoll_wait",
  "writev",
  "mprotect",
  "madvise",
  "mmap",
  "munmap",
  "clock_gettime",
  "getrusage",
  "sched_yield",
  "readv",
  "pread64",
  "epoll_ctl",
  "rt_sigprocmask",
  "rt_sigreturn",
  "rt_sigaction",
  "getrandom",
  "mremap",
  "brk",
  "membarrier",
  "close",
  "fstat",
  "lseek",
  "eventfd2",
  "poll",
  "ppoll",
  "epoll_create1",
  "epoll_pwait2",
  "clock_getres",
  "clock_nanosleep",
  "nanosleep",
  "gettimeofday",
  "set_robust_list",
  "get_robust_list",
  "rseq",
  "sigaltstack",
  "futex_waitv",
  "getpid",
  "gettid",
  "getppid",
  "getuid",
  "geteuid",
  "getgid",
  "getegid",
  "getcpu",
  "sched_getaffinity",
  "sched_getparam",
  "sched_getscheduler",
  "sched_get_priority_max",
  "sched_get_priority_min",
  "getsockopt",
  "getsockname",
  "getpeername",
  "shutdown",
  "exit",
  "exit_group",
  "restart_syscall",
];

/** What starting Node, loading its libraries and giving up privileges takes besides. */
const START: readonly SystemCall[] = [
  "execve",
  "uname",
  "sysinfo",
  "times",
  "set_tid_address",
  "arch_prctl",
  "stat",
  "lstat",
  "newfstatat",
  "statx",
  "statfs",
  "fstatfs",
  "readlink",
  "readlinkat",
  "access",
  "faccessat",
  "faccessat2",
  "getcwd",
  "getdents64",
  "pipe2",
  "dup",
  "dup2",
  "dup3",
  "capget",
  "getgroups",
  "setrlimit",
  "seccomp",
  "setgroups",
  "setresuid",
  "setresgid",
  "setuid",
  "setgid",
  "tgkill",
];

/** No program of ours makes them, and each is a way out or a look at others. */
const HOSTILE: readonly SystemCall[] = [
  "ptrace",
  "process_vm_readv",
  "process_vm_writev",
  "process_madvise",
  "bpf",
  "perf_event_open",
  "userfaultfd",
  "keyctl",
  "add_key",
  "request_key",
  "kexec_load",
  "kexec_file_load",
  "init_module",
  "finit_module",
  "delete_module",
  "mount",
  "umount2",
  "pivot_root",
  "chroot",
  "move_mount",
  "open_tree",
  "fsopen",
  "fsconfig",
  "fsmount",
  "fspick",
  "mount_setattr",
  "setns",
  "unshare",
  "open_by_handle_at",
  "name_to_handle_at",
  "swapon",
  "swapoff",
  "reboot",
  "acct",
  "iopl",
  "ioperm",
  "modify_ldt",
  "uselib",
  "vmsplice",
  "personality",
  "quotactl",
  "syslog",
  "pidfd_getfd",
  "pidfd_open",
  "pidfd_send_signal",
  "kcmp",
  "memfd_secret",
  "move_pages",
  "migrate_pages",
];

/** glibc and libuv fall back to what they did before these existed; io_uring would pass by the filter. */
const UNKNOWN: readonly SystemCall[] = ["clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"];

const always = (calls: readonly SystemCall[]): AllowRule[] => calls.map((call) => ({ call }));
const firstOf = (call: SystemCall, argument: number, values: readonly number[]): AllowRule[] =>
  values.map((is) => ({ call, when: [{ argument, is }] }));

const threadsOnly: AllowRule = {
  call: "clone",
  when: [{ argument: 0, mask: CLONE.vm | CLONE.thread | CLONE.namespaces, is: CLONE.vm | CLONE.thread }],
};

/**
 * The filter a host starts under: it may run Node, read files and start threads, and open no socket, no file for writing and no
 * process.
 */
export function launchFilter(arch: FilterArch): Buffer {
  const allow = [
    ...always(COMPUTE),
    ...always(START),
    threadsOnly,
    // Its own limits only: without a user of its own it could lower ours.
    ...firstOf("prlimit64", 0, [0]),
    ...firstOf("fcntl", 1, [0, 1030, ...FCNTL_COMMANDS]), // F_DUPFD, F_DUPFD_CLOEXEC
    ...firstOf("ioctl", 1, [...IOCTL_COMMANDS, 0x5401]), // TCGETS
    ...firstOf("prctl", 0, Object.values(PRCTL)),
    { call: "openat", when: [{ argument: 2, mask: OPEN_WRITES, is: 0 }] },
    { call: "open", when: [{ argument: 1, mask: OPEN_WRITES, is: 0 }] },
  ] as const satisfies readonly AllowRule[];
  return assembleFilter({ allow, unknown: UNKNOWN, kill: HOSTILE }, arch);
}

/**
 * The filter a host puts on itself for good before anything of a user arrives: it may compute, start threads
 * and use the files it has open. It opens nothing, by path or socket, and an attempt to run a program ends it.
 * @param pid of the host as it sees itself: the only process it may signal
 */
export function lockedFilter(arch: FilterArch, pid: number): Buffer {
  const allow: AllowRule[] = [
    ...always(COMPUTE),
    threadsOnly,
    ...firstOf("fcntl", 1, FCNTL_COMMANDS),
    ...firstOf("ioctl", 1, IOCTL_COMMANDS),
    ...firstOf("prctl", 0, [PRCTL.setName, PRCTL.setVma]),
    { call: "tgkill", when: [{ argument: 0, is: pid }] },
    {
      call: "prlimit64",
      when: [
        { argument: 0, is: 0 },
        { argument: 2, isNull: true },
      ],
    },
  ];
  const kill: SystemCall[] = [...HOSTILE, "execve", "execveat", "fork", "vfork"];
  return assembleFilter({ allow, unknown: UNKNOWN, kill }, arch);
}
